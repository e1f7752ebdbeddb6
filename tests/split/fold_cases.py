"""Indices of images in groups, and the folds of them, for the tests of splitting."""

from pathlib import Path

from histoloom.prepare.duplicates.pairs import Duplicate
from histoloom.prepared import IndexRow
from histoloom.split.folds.splits import Material, split_grouped, split_proportions


def row(name, group="", stratum="", fold=None, pixels=None, source=""):
    nowhere = Path("unread.png")
    return IndexRow(name, nowhere, nowhere, None, 8, 8, None, group, stratum, fold, source, pixels or f"sha-{name}")


def rows(*sizes, strata=None):
    """Groups g0, g1, ... of the given numbers of images."""
    strata = strata or [""] * len(sizes)
    return [
        row(f"g{group}-{image}", f"g{group}", stratum)
        for group, (size, stratum) in enumerate(zip(sizes, strata, strict=True))
        for image in range(size)
    ]


def grouped(index, fold_count=3, seed=0, validation="groups", fraction=0.2, repeats=1, **material):
    return split_grouped(Material(index, **material), fold_count, repeats, validation, fraction, seed)


def proportions(index, seed=0, test=0.2, validation="groups", fraction=0.2, repeats=1, **material):
    return split_proportions(Material(index, **material), repeats, test, validation, fraction, seed)


def pair(first, second, kind="near"):
    return Duplicate("toy", first, "toy", second, kind, 3, "none")


def groups_of(members, fold, part):
    return {member.group for member in members if (member.fold, member.part) == (fold, part)}


def names_of(members, fold, part):
    return {member.name for member in members if (member.fold, member.part) == (fold, part)}
