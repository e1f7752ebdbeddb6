"""Pages of the report that Snakemake would only offer for download: tables to sort, animations to watch."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from histoloom.report.rendering import render

# Columns that hold words, also where these look like numbers: a case is called 12, fold 0 diverged. An empty cell of
# any other column of numbers is an undefined value.
WORDS = (
    "dataset", "architecture", "kind", "metric", "class", "stratum", "group", "name", "slide", "source", "subject",
    "message", "diverged", "first", "second", "definition", "size", "ended",
)  # fmt: skip

WHY_EMPTY = {
    "strata": "no image states a stratum, such as an organ",
    "sizes": "the truth does not tell one nucleus from the next",
}


@dataclass(frozen=True)
class Animation:
    """One animated picture inside the page."""

    name: str
    uri: str
    frames: int


def table_page(
    template: Path, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]], file_name: str
) -> str:
    """A table as a page to sort and to search, which says so, and why, where there is no row.

    `file_name` is that of the CSV which the page offers for download.
    """
    why = WHY_EMPTY.get(Path(file_name).stem)
    held = {"count": len(rows), "csv": embedded_csv(columns, rows), "why_empty": why}
    return render(template, title=title, file_name=file_name, words=WORDS, **held)


def embedded_csv(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """A table as CSV with header and '\\n' line ends, in base64; empty where there is not even a column."""
    text = io.StringIO()
    if columns:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in rows)
    return base64.b64encode(text.getvalue().encode()).decode()


def animations_page(template: Path, title: str, pictures: Mapping[str, bytes]) -> str:
    """Animated pictures, GIF or WebP, by name as a page."""
    return render(template, title=title, animations=[_animation(*each) for each in pictures.items()])


def _animation(name: str, picture: bytes) -> Animation:
    with Image.open(io.BytesIO(picture)) as opened:
        frames, kind = opened.n_frames, opened.get_format_mimetype()
    return Animation(name, f"data:{kind};base64,{base64.b64encode(picture).decode()}", frames)
