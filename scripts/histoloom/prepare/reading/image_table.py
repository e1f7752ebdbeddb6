"""What a person states of each image in a table beside the data: group, stratum, mpp and official fold."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from histoloom.errors import InputError
from histoloom.prepare.reading.tables import rows_by

COLUMNS = ("group", "stratum", "mpp", "fold")


@dataclass(frozen=True)
class ImageRow:
    """What one row states (see sample.Sample); None where a cell is empty or a column is not there."""

    group: str | None = None
    stratum: str | None = None
    mpp: float | None = None
    fold: int | None = None


def read_image_table(path: Path) -> dict[str, ImageRow]:
    """The rows of a CSV with a column name and any of group, stratum, mpp (micrometres per pixel) and fold, by name.

    Names come in small letters. Other columns are left, but not one that is nearly named so ("groups").
    Raises InputError for a file that is no such table, cells that are no such number, and two unlike rows of one name.
    """
    rows = rows_by(path, "name")
    columns = [column for column in next(iter(rows.values()), {"name": ""}) if column != "name"]
    is_near = any(column not in COLUMNS and column.rstrip("s") in COLUMNS for column in columns)
    if is_near or not set(columns) & set(COLUMNS):
        listed = ", ".join(f"'{column}'" for column in columns)
        raise InputError(
            f"{path}: has beside 'name' the columns {listed or '(none)'}; expected one or more of "
            f"{', '.join(COLUMNS)}; mend its header"
        )
    return {name: _image_row(f"{path}: row '{name}'", cells) for name, cells in rows.items()}


def match_rows(
    path: Path, rows: Mapping[str, ImageRow], images: Mapping[str, Path], folder: Path
) -> tuple[dict[str, ImageRow], tuple[str, ...]]:
    """The row of each of `images` (by name), and a message for each image and each row that finds no partner.

    Rows that name another file of `folder` are let be: why that file is no image is said elsewhere. Upper and lower
    case, and both ways of writing an accent, are one.
    """
    by_key = {_key(name): row for name, row in rows.items()}
    found = {name: by_key[_key(name)] for name in images if _key(name) in by_key}
    present = {_key(name) for name in images} | {_key(file.stem) for file in folder.iterdir()}
    missing = [
        f"{image}: has no row in {path.name}; expected one named '{name}'; add it, or remove the image"
        for name, image in images.items()
        if name not in found
    ]
    unknown = [
        f"{path}: names '{name}', of which {folder.name}/ has no image; expected a file's name without suffix; mend or "
        "remove the row"
        for name in rows
        if _key(name) not in present
    ]
    return found, (*missing, *unknown)


def _image_row(place: str, cells: Mapping[str, str]) -> ImageRow:
    return ImageRow(
        cells.get("group") or None,
        cells.get("stratum") or None,
        _mpp(place, cells.get("mpp", "")),
        _fold(place, cells.get("fold", "")),
    )


def _mpp(place: str, cell: str) -> float | None:
    try:
        value = float(cell) if cell else None
    except ValueError:
        value = 0.0
    if value is not None and not 0 < value < float("inf"):
        raise InputError(f"{place}: mpp is '{cell}'; expected micrometres per pixel, such as 0.25, or nothing; mend it")
    return value


def _fold(place: str, cell: str) -> int | None:
    if cell and not (cell.isascii() and cell.isdecimal()):
        raise InputError(f"{place}: fold is '{cell}'; expected a whole number, such as 1, or nothing; mend it")
    return int(cell) if cell else None


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
