"""Images that show one picture, directly or through others: they must go the same way."""

from collections.abc import Collection, Iterable, Sequence

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
    """For each image the first image that shows the same picture: equal pixels, or connected by `duplicates`.

    Blank images show none, here and in `joined_groups`.
    """
    return connected((row.name for row in index), _alike(index, duplicates))


def joined_groups(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> dict[str, str]:
    """For each group the first of the groups that it has a picture in common with, directly or through others."""
    group_of = {row.name: row.group for row in index}
    pairs = _alike(index, duplicates)
    return connected(group_of.values(), [(group_of[one], group_of[other]) for one, other in pairs])


def identical_pairs(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> list[tuple[str, str]]:
    """Pairs of images with the same pixels, by the index or, flipped or turned, by `duplicates`; no blank ones.

    Empty tiles of two patients are equal without being copies: nothing that is learnt from one flatters the other.
    """
    duplicates = list(duplicates)
    blank = blank_images(duplicates)
    first_with: dict[str, str] = {}
    pairs = [(row.name, first_with.setdefault(row.sha256, row.name)) for row in index if row.name not in blank]
    return pairs + [(pair.first, pair.second) for pair in duplicates if pair.kind == "identical"]


def blank_images(duplicates: Iterable[Duplicate]) -> Collection[str]:
    """Names of the images that show nothing and that have the pixels of another one."""
    return {name for pair in duplicates if pair.kind == "blank" for name in (pair.first, pair.second)}


def check_known(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> None:
    """Raise InputError where `duplicates` names an image that is not in the index."""
    known = {row.name for row in index}
    for name in (name for pair in duplicates for name in (pair.first, pair.second)):
        if name not in known:
            raise InputError(
                f"duplicates.csv: image '{name}' is not in index.csv; expected it there; search for duplicates again"
            )


def _alike(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> list[tuple[str, str]]:
    duplicates = list(duplicates)
    near = [(pair.first, pair.second) for pair in duplicates if pair.kind == "near"]
    return identical_pairs(index, duplicates) + near


def _root(first: dict[str, str], name: str) -> str:
    while first[name] != name:
        first[name] = name = first[first[name]]  # halves the way for the next time
    return name
