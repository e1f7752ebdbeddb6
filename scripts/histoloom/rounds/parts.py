"""A fold's training images divided into parts, so that each is predicted by models that have not seen it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from histoloom.errors import InputError
from histoloom.prepare.duplicates.pairs import Duplicate
from histoloom.prepared import IndexRow, read_table
from histoloom.split.folds.clusters import joined_groups, pictures_of
from histoloom.split.folds.members import FOLD_COLUMNS, Member, in_order
from histoloom.split.folds.splits import Material, split_grouped

PART_COLUMNS = (*FOLD_COLUMNS, "dealt_by")
GROUP, IMAGE = "group", "image"  # what was dealt out whole


@dataclass(frozen=True)
class Division:
    """Rows of parts.csv: the columns of folds.csv, and whether whole groups or single images were dealt."""

    members: list[Member]
    dealt_by: str

    def rows(self) -> list[tuple[object, ...]]:
        """As PART_COLUMNS says."""
        return [(*astuple(member), self.dealt_by) for member in self.members]


def divided(
    members: Iterable[Member],
    index: Sequence[IndexRow],
    parts: int,
    draws: int,
    seed: int,
    pixels: Mapping[str, Sequence[int]],
    stratify: Sequence[str],
    duplicates: Sequence[Duplicate] = (),
) -> Division:
    """Divide the training images among `members` of one fold into `parts`, `draws` times.

    Part p of draw d is fold d * parts + p of what is given: its test part are the images that are left out, the other
    training images train, and the fold's validation part validates. The fold's own test images are nowhere in it.
    Groups stay whole, and those that have a picture in common together, by equal pixels or by `duplicates`; only where
    there are fewer of them than parts single images are dealt, those of one picture together. Strata and the pixels of
    classes are shared out as `stratify` says (see split.folds.strata).
    Raises InputError for fewer pictures to train on than parts.
    """
    of_part = {member.name: member for member in members if member.part != "test"}
    training = [name for name, member in of_part.items() if member.part == "train"]
    dealt_by, unit_of = _units([of_part[name] for name in training], index, duplicates, parts)
    rows = {row.name: row for row in index}
    alone = [replace(rows[name], group=unit_of[name]) for name in training]
    dealt = split_grouped(Material(alone, {}, {}, pixels, stratify), parts, draws, "groups", 0.0, seed)
    found = [
        Member(one.fold, "test" if one.part == "test" else "train", one.name, of_part[one.name].group) for one in dealt
    ]
    held_out = [member for member in of_part.values() if member.part == "val"]
    found += [replace(member, fold=fold) for fold in range(parts * draws) for member in held_out]
    return Division(in_order(found), dealt_by)


def left_out(table: Sequence[Mapping[str, str]]) -> dict[str, list[int]]:
    """Which parts each training image is left out of, one for each draw, in the order of names; of parts.csv's rows."""
    found: dict[str, list[int]] = {}
    for row in table:
        if row["part"] == "test":
            found.setdefault(row["name"], []).append(int(row["fold"]))
    return dict(sorted(found.items()))


def members_of(folds: Path, fold: int) -> list[Member]:
    """The members of one fold in folds.csv."""
    rows = read_table(folds)
    return [Member(fold, row["part"], row["name"], row["group"]) for row in rows if int(row["fold"]) == fold]


def _units(
    training: Sequence[Member], index: Sequence[IndexRow], duplicates: Sequence[Duplicate], parts: int
) -> tuple[str, dict[str, str]]:
    # Twins in two parts would be predicted by a model that has learnt from the other one.
    joined, pictures = joined_groups(index, duplicates), pictures_of(index, duplicates)
    by_group = {member.name: joined.get(member.group, member.group) for member in training}
    if len(set(by_group.values())) >= parts:
        return GROUP, by_group
    by_picture = {member.name: pictures[member.name] for member in training}
    count = len(set(by_picture.values()))
    if count < parts:
        shown = "" if count == len(training) else f", which show {count} pictures"
        raise InputError(
            f"rounds.parts: {parts} of {len(training)} training images{shown}; expected at least one picture for each "
            "part; lower rounds.parts, or annotate more images"
        )
    return IMAGE, by_picture
