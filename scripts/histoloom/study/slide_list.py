"""Which slides a config lists: each with its slug, the name that people know it by, its model, and what its file lacks.

Standard library only: the Snakefile imports this at every parse.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histoloom.errors import InputError
from histoloom.formats.whole import read_dicts

COLUMNS = ("path", "name", "mpp", "patient", "model", "tissue")  # of a CSV of slides; only path has to be there
SLUG_LETTERS = 60  # file systems take 255 bytes, and a slug is one part of a name


@dataclass(frozen=True)
class ListedSlide:
    """One slide: `slug` names its folder and its jobs, `name` is shown; `model` is "dataset/architecture".

    mpp: µm per pixel at full resolution that a table states for this slide, None where the file's own counts. tissue: a
    mask of one's own, or None.
    """

    slug: str
    path: Path
    name: str
    model: str
    mpp: float | None = None
    patient: str = ""
    tissue: Path | None = None

    @property
    def dataset(self) -> str:
        """The dataset that its model learnt from."""
        return self.model.partition("/")[0]

    @property
    def architecture(self) -> str:
        """The architecture of its model."""
        return self.model.partition("/")[2]


def listed_slides(section: Mapping[str, Any]) -> list[ListedSlide]:
    """The slides of the config's section `slides`, in the order of its files; a pattern's are sorted by name.

    Raises InputError for a pattern that fits no file, a CSV that cannot be understood, a slide that is listed twice or
    has no model, and a path that begins with a dash.
    """
    rows = [row for text in section["files"] for row in _rows(text)]
    for path, count in Counter(row["path"] for row in rows).items():
        if path.startswith("-"):
            raise InputError(
                f"slides.files: {path} begins with '-', which programs take for an option; expected another name; "
                "rename the slide, or keep it in a folder"
            )
        if count > 1:
            raise InputError(f"slides.files: {path} is listed {count} times; expected once; remove the others")
    slugs = _slugs([Path(row["path"]) for row in rows])
    return [_slide(row, slug, section) for row, slug in zip(rows, slugs, strict=True)]


def _rows(text: str) -> Iterable[dict[str, str]]:
    if text.lower().endswith(".csv"):
        return _table(Path(text))
    # A name that is there as it stands is no pattern: brackets occur in names of exported regions.
    paths = [text] if Path(text).is_file() else _fitting(text)
    if not paths:
        raise InputError(
            f"slides.files: {text} fits no file; expected slides, or a CSV that lists them; mend the path, which "
            "starts where Snakemake is started"
        )
    return [{"path": path} for path in paths]


def _fitting(pattern: str) -> list[str]:
    folder = Path(Path(pattern).anchor)
    return sorted(str(path) for path in folder.glob(str(Path(pattern).relative_to(folder))) if path.is_file())


def _table(path: Path) -> Iterator[dict[str, str]]:
    rows = read_dicts(path, "a CSV of slides")
    header = list(rows[0]) if rows else []
    unknown = [column for column in header if column not in COLUMNS]
    if "path" not in header or unknown:
        raise InputError(
            f"{path}: has the columns {', '.join(header) or 'none'}; expected path and, as needed, "
            f"{', '.join(COLUMNS[1:])}; mend its first line"
        )
    for number, row in enumerate(rows, start=2):
        if not Path(row["path"]).is_file():
            raise InputError(f"{path}:{number}: no file {row['path']!r}; expected a slide; mend the path in the CSV")
        yield row


def _slide(row: Mapping[str, str], slug: str, section: Mapping[str, Any]) -> ListedSlide:
    path = Path(row["path"])
    model = row.get("model") or section["model"]
    if model == "none":
        raise InputError(
            f'slides: {path} has no model; expected "dataset/architecture"; set slides.model, or the column model'
        )
    tissue = Path(row["tissue"]) if row.get("tissue") else None
    if tissue and not tissue.is_file():
        raise InputError(f"slides: {path}: no tissue mask {tissue}; expected an image file; mend the column tissue")
    name = row.get("name") or path.name
    return ListedSlide(slug, path, name, model, _mpp(row), row.get("patient", ""), tissue)


def _mpp(row: Mapping[str, str]) -> float | None:
    text = row.get("mpp")
    try:
        return float(text) if text else None
    except ValueError as error:
        raise InputError(
            f"slides: {row['path']}: mpp '{text}'; expected µm per pixel such as 0.25; mend the column mpp"
        ) from error


def _slugs(paths: list[Path]) -> list[str]:
    """Of each path its stem in small letters, digits and _; paths that would share one get a part of their digest."""
    plain = [re.sub("[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:SLUG_LETTERS] or "slide" for path in paths]
    count = Counter(plain)
    return [
        slug if count[slug] == 1 else f"{slug}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        for slug, path in zip(plain, paths, strict=True)
    ]
