"""Row B8: file names with blanks, line breaks, quotes, braces and all that a shell would take for a command."""

import csv
import unicodedata
from functools import partial
from pathlib import Path

from tests.bad_input.case import Case
from tests.bad_input.cases.masks import FOLDER
from tests.bad_input.cases.slides import MADE
from tests.bad_input.made_files import mask, pair, put, save, tissue
from tests.slides.made_slides import write_pyramid

ODD = (
    "slide 1 (copy)",
    "two\nlines",
    'it\'s "quoted"',
    "{sample} <b> [d=1,x=0]",
    "$(touch executed); touch executed",
    "-rf",
    "l" * 245,
    unicodedata.normalize("NFD", "Präparat"),
)


def odd_names(*names: str) -> None:
    for seed, name in enumerate(names):
        pair(name, seed)


def as_they_are_called() -> str:
    assert not Path("executed").exists()
    with Path("out/index.csv").open(newline="", encoding="utf-8") as file:
        rows = [(shortened(row["name"]), shortened(row["source"])) for row in csv.DictReader(file)]
    return "\n".join(["out/index.csv:", *(f"  {name!r} from {source!r}" for name, source in rows)])


def shortened(name: str) -> str:
    return name.replace("l" * 200, "...")


def bad_file_of_an_odd_name(name: str) -> None:
    pair("a")
    put(f"raw/images/{name}.png", b"")
    save(f"raw/masks/{name}.png", mask())


def written_in_two_ways() -> None:
    for form in ("NFC", "NFD"):
        save(f"raw/images/{unicodedata.normalize(form, 'é')}.png", tissue())
    save("raw/masks/é.png", mask())


def odd_slide() -> None:
    Path("slides").mkdir()
    write_pyramid(Path("slides/a\n$(touch executed).tif"), MADE.rows, 600, 700)


CASES = [
    Case(
        "B8",
        "odd names are read, and made into names for all systems",
        partial(odd_names, *ODD),
        FOLDER,
        0,
        ("out",),
        as_they_are_called,
    ),
    Case("B8", "a damaged file with a line break in its name", partial(bad_file_of_an_odd_name, "b\nc"), FOLDER),
    Case("B8", "a damaged file with a colon in its name", partial(bad_file_of_an_odd_name, "b: c"), FOLDER),
    Case("B8", "a damaged file whose name is no text", partial(bad_file_of_an_odd_name, "b\udcff"), FOLDER),
    Case("B8", "a sound file whose name is no text", partial(odd_names, "a", "b\udcff"), FOLDER),
    Case("B8", "two names that give one", partial(odd_names, "a b", "a_b"), FOLDER),
    Case("B8", "a name without a letter", partial(odd_names, "a", "---"), FOLDER),
    Case("B8", "one name, its accent written in two ways", written_in_two_ways, FOLDER),
    Case(
        "B8",
        "a slide whose name has a command in it",
        odd_slide,
        ("find_tissue.py", "--slide", "slides/a\n$(touch executed).tif"),
    ),
]
