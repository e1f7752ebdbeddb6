"""A prepared dataset on disk: its index, its description and its folds, as every later stage reads them."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from histoloom.errors import InputError

INDEX_COLUMNS = (
    "name",
    "image",
    "mask",
    "instances",
    "height",
    "width",
    "mpp",
    "group",
    "stratum",
    "fold",
    "source",
    "sha256",
    "second_instances",
    "truth_sha256",
)
SKIPPED_COLUMNS = ("source", "message")
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class IndexRow:
    """One prepared image: absolute paths of its files, and what is known of it (see sample.Sample)."""

    name: str
    image: Path
    mask: Path
    instances: Path | None
    height: int
    width: int
    mpp: float | None
    group: str
    stratum: str
    fold: int | None
    source: str
    sha256: str
    second_instances: Path | None = None
    truth_sha256: str = ""  # of mask and nucleus ids, so that what hangs on this table notices a changed annotation


@dataclass(frozen=True)
class Description:
    """What dataset.json holds: the classes (background first) and what a report must say of the data.

    `skipped` is the number of problems for which raw files were left out, the lines of skipped.csv.
    """

    name: str
    reader: str
    classes: tuple[str, ...]
    has_instances: bool
    licence: str
    citation: str
    facts: dict
    warnings: tuple[str, ...]
    skipped: int = 0


def read_index(path: Path) -> list[IndexRow]:
    """Read index.csv; its paths are relative to its folder."""
    return [_index_row(row, path.parent) for row in read_table(path)]


def read_description(path: Path) -> Description:
    """Read dataset.json."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return Description(**{**values, "classes": tuple(values["classes"]), "warnings": tuple(values["warnings"])})


def part_names(folds: Path, fold: int, part: str) -> list[str]:
    """Names of the images of one part of one fold, in the order of folds.csv."""
    assert part in PARTS, part
    rows = [row for row in read_table(folds) if int(row["fold"]) == fold]
    if not rows:
        raise InputError(f"{folds}: has no fold {fold}; expected one that split made; check split.fold_count")
    return [row["name"] for row in rows if row["part"] == part]


def part_rows(index: Path, folds: Path, fold: int, part: str) -> list[IndexRow]:
    """The images of one part of one fold, in the order of folds.csv."""
    images = {row.name: row for row in read_index(index)}
    names = part_names(folds, fold, part)
    if unknown := [name for name in names if name not in images]:
        raise InputError(f"{folds}: image '{unknown[0]}' is not in {index}; expected it there; split the dataset again")
    return [images[name] for name in names]


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a CSV with header as a list of dicts of strings."""
    if not path.is_file():
        raise InputError(f"{path}: no such table; it is written by an earlier rule; run the workflow again")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _index_row(row: dict[str, str], folder: Path) -> IndexRow:
    return IndexRow(
        name=row["name"],
        image=folder / row["image"],
        mask=folder / row["mask"],
        instances=folder / row["instances"] if row["instances"] else None,
        height=int(row["height"]),
        width=int(row["width"]),
        mpp=float(row["mpp"]) if row["mpp"] else None,
        group=row["group"],
        stratum=row["stratum"],
        fold=int(row["fold"]) if row["fold"] else None,
        source=row["source"],
        sha256=row["sha256"],
        second_instances=folder / row["second_instances"] if row["second_instances"] else None,
        truth_sha256=row["truth_sha256"],
    )
