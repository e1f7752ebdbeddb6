"""Images that show one picture, directly or through others: they must go the same way."""

from collections.abc import Iterable, Sequence

from histoloom.errors import InputError
from histoloom.prepare.duplicates.pairs import Duplicate
from histoloom.prepared import IndexRow


def connected(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For each name the first, in alphabetical order, of all that pairs connect it with, however many steps away.

    >>> connected("abcd", [("d", "b"), ("c", "d")])
    {'a': 'a', 'b': 'b', 'c': 'b', 'd': 'b'}
    """
    first = {name: name for name in names}
    for one, other in pairs:
        low, high = sorted((_root(first, one), _root(first, other)))
        first[high] = low
    return {name: _root(first, name) for name in first}


def pictures_of(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> dict[str, str]:
    """For each image the first image that shows the same picture: equal pixels, or connected by `duplicates`."""
    return connected((row.name for row in index), _alike(index, duplicates))


def joined_groups(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> dict[str, str]:
    """For each group the first of the groups that it has a picture in common with, directly or through others."""
    group_of = {row.name: row.group for row in index}
    pairs = _alike(index, duplicates)
    return connected(group_of.values(), [(group_of[one], group_of[other]) for one, other in pairs])


def same_pixels(index: Sequence[IndexRow]) -> list[tuple[str, str]]:
    """Each image beside the first in the index that has its pixels, unflipped: itself, where it is alone."""
    first_with: dict[str, str] = {}
    return [(row.name, first_with.setdefault(row.sha256, row.name)) for row in index]


def check_known(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> None:
    """Raise InputError where `duplicates` names an image that is not in the index."""
    known = {row.name for row in index}
    for name in (name for pair in duplicates for name in (pair.first, pair.second)):
        if name not in known:
            raise InputError(
                f"duplicates.csv: image '{name}' is not in index.csv; expected it there; search for duplicates again"
            )


def _alike(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> list[tuple[str, str]]:
    return [*same_pixels(index), *((pair.first, pair.second) for pair in duplicates)]


def _root(first: dict[str, str], name: str) -> str:
    while first[name] != name:
        first[name] = name = first[first[name]]  # halves the way for the next time
    return name
