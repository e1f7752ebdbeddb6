"""Which image stands in which part of which fold, as folds.csv holds it."""

from collections.abc import Iterable
from dataclasses import dataclass

from histoloom.prepared import PARTS

FOLD_COLUMNS = ("fold", "part", "name", "group")


@dataclass(frozen=True)
class Member:
    """One image in one part (train, val or test) of one fold, counted from 0."""

    fold: int
    part: str
    name: str
    group: str


def in_order(members: Iterable[Member]) -> list[Member]:
    """Members by fold, part (train, val, test) and name."""
    return sorted(members, key=lambda member: (member.fold, PARTS.index(member.part), member.name))
