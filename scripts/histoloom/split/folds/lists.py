"""Folds that somebody else has drawn up: a table of images and parts, taken as it is."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from histoloom.errors import InputError
from histoloom.findings import listed
from histoloom.formats.whole import read_dicts
from histoloom.prepared import PARTS, IndexRow
from histoloom.split.folds.members import Member, in_order

LEFT_OUT = "left_out"


def split_list(index: Sequence[IndexRow], path: Path, fold_count: int) -> list[Member]:
    """Follow a table with columns name, part and, where there is more than one fold, fold (from 0).

    part is train, val, test or left_out. Names are those of index.csv. Every image of the index must be named, so that
    none is forgotten: left_out says that one is meant to take part in nothing. One that is named for some folds only
    is left out of the others.
    Raises InputError, naming the line, for unknown columns, images, parts and folds and for an image named twice in a
    fold, and for images of the index that are named nowhere.
    """
    rows = _read_list(path)
    _check_columns(path, rows)
    group_of = {row.name: row.group for row in index}
    members = list(_members(path, rows, group_of))
    if forgotten := sorted(set(group_of) - {member.name for member in members}):
        raise InputError(
            f"{path}: does not name {len(forgotten)} images of index.csv ({listed(forgotten)}); expected all; add "
            f"them, with part {LEFT_OUT} where they are to take part in nothing"
        )
    members = [member for member in members if member.part != LEFT_OUT]
    if (found := sorted({member.fold for member in members})) != list(range(fold_count)):
        raise InputError(
            f"{path}: has folds {listed(found)}; expected 0 to {fold_count - 1}; mend column fold or split.fold_count"
        )
    return in_order(members)


def _read_list(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(f"{path}: no such list of folds; expected a CSV with columns name,part; mend split.list")
    return read_dicts(path, "a CSV in UTF-8")


def _check_columns(path: Path, rows: Sequence[dict[str, str]]) -> None:
    columns = list(rows[0]) if rows else []
    if sorted(map(str, columns)) not in (["name", "part"], ["fold", "name", "part"]):
        raise InputError(
            f"{path}: has columns {listed(columns) or 'none'}; expected name,part or name,fold,part and a line for "
            "each image; mend the first line"
        )


def _members(path: Path, rows: Sequence[dict[str, str]], group_of: dict[str, str]) -> Iterator[Member]:
    line_of: dict[tuple[int, str], int] = {}
    for line, row in enumerate(rows, start=2):
        name, part, fold = row["name"], row["part"], row.get("fold", "0")
        if name not in group_of:
            raise InputError(f"{path}, line {line}: image '{name}'; expected a name of index.csv; mend or delete it")
        if part not in (*PARTS, LEFT_OUT):
            raise InputError(f"{path}, line {line}: part '{part}'; expected {', '.join(PARTS)} or {LEFT_OUT}; mend it")
        if not (fold or "").isdecimal():
            raise InputError(f"{path}, line {line}: fold '{fold}'; expected a whole number from 0; mend it")
        first = line_of.setdefault((int(fold), name), line)
        if first != line:
            raise InputError(
                f"{path}, line {line}: image '{name}' again for fold {int(fold)}, as in line {first}; expected one "
                "part for each image in a fold; delete one of the lines"
            )
        yield Member(int(fold), part, name, group_of[name])
