"""What is known of scored images beside their pixels: case, tissue and resolution, from a table or an array."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from histoloom.errors import InputError
from histoloom.evaluate.scoring.listing import key
from histoloom.formats.arrays import read_texts
from histoloom.formats.whole import read_dicts

COLUMNS = ("name", "group", "stratum", "mpp")


@dataclass(frozen=True)
class Known:
    """Group (what images of one patient share), stratum (tissue), micrometres per pixel or None of one image."""

    group: str
    stratum: str = ""
    mpp: float | None = None


def known_images(
    names: Sequence[str], table: Path | None = None, strata: Path | None = None, mpp: float | None = None
) -> dict[str, Known]:
    """What is known of each image: by default it is its own group, of no stratum.

    `table` is a CSV with the columns name, group, stratum and mpp, of which name alone has to be there; cells that are
    not empty win. `strata` is an array of texts in the order of `names`, as PanNuke's types.npy.
    Raises InputError for images that the table lacks, other columns, a bad mpp, and strata of another length.
    """
    if mpp is not None and not _is_length(mpp):
        raise InputError(
            f"--mpp: {mpp:g}; expected micrometres per pixel, above 0, such as 0.25; mend it, or leave it out to "
            "measure in pixels"
        )
    tissues = _tissues(strata, len(names)) if strata else [""] * len(names)
    rows = _rows(table) if table else {}
    if table and (missing := [name for name in names if key(name) not in rows]):
        raise InputError(
            f"{table}: has no row for image '{missing[0]}' ({len(missing)} of {len(names)} lack one); expected its "
            "group; add it"
        )
    return {
        name: _known(name, rows.get(key(name), {}), tissue, mpp, table)
        for name, tissue in zip(names, tissues, strict=True)
    }


def _known(name: str, row: dict[str, str], tissue: str, mpp: float | None, table: Path | None) -> Known:
    cell = row.get("mpp") or ""
    try:
        value = float(cell) if cell else mpp
    except ValueError:
        value = math.nan
    if value is not None and not _is_length(value):
        raise InputError(f"{table}: mpp of '{name}' is '{cell}'; expected micrometres per pixel, such as 0.25; mend it")
    return Known(row.get("group") or name, row.get("stratum") or tissue, value)


def _is_length(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _rows(path: Path) -> dict[str, dict[str, str]]:
    rows = read_dicts(path, "a CSV of images")
    header = list(rows[0]) if rows else []
    if "name" not in header or not set(header) <= set(COLUMNS):
        raise InputError(
            f"{path}: columns {', '.join(header) or 'none'}; expected name and any of {', '.join(COLUMNS[1:])}; "
            "mend the header"
        )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if found.setdefault(key(row["name"]), row) is not row:
            raise InputError(f"{path}: has two rows for '{row['name']}'; expected one; remove one of them")
    return found


def _tissues(path: Path, count: int) -> list[str]:
    texts = read_texts(path)
    if len(texts) != count:
        raise InputError(f"{path}: {len(texts)} names for {count} images; expected one for each, in their order")
    return texts
