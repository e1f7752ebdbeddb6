"""Dealing groups out so that every part gets its share of images, strata and classes."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from histoloom.errors import InputError
from histoloom.prepared import IndexRow, read_table

STRATIFY = ("stratum", "classes")


def read_class_pixels(measures: Path, class_count: int, index: Sequence[IndexRow]) -> dict[str, tuple[int, ...]]:
    """Annotated pixels of each class index in each image of the index, from images.csv.

    Raises InputError where the table lacks a class or an image.
    """
    rows = {row["name"]: row for row in read_table(measures)}
    columns = [f"pixels_{number}" for number in range(class_count)]
    if missing := [image.name for image in index if image.name not in rows]:
        raise InputError(f"{measures}: has no image '{missing[0]}'; expected all of index.csv; inspect again")
    if missing := [column for row in rows.values() for column in columns if column not in row]:
        raise InputError(
            f"{measures}: has no column {missing[0]}; expected one for each of {class_count} classes; inspect again"
        )
    return {image.name: tuple(int(rows[image.name][column]) for column in columns) for image in index}


def group_counts(
    index: Sequence[IndexRow], pixels: Mapping[str, Sequence[int]], stratify: Iterable[str]
) -> tuple[list[str], Int64[np.ndarray, "groups features"]]:
    """The groups in alphabetical order, and what each has: images; images of each stratum; pixels of each class.

    Strata and classes are there only where `stratify` names them; one that no image has is left out.
    """
    groups = sorted({row.group for row in index})
    strata = sorted({row.stratum for row in index}) if "stratum" in stratify else []
    class_count = len(next(iter(pixels.values()), ())) if "classes" in stratify else 0
    counts = np.zeros((len(groups), 1 + len(strata) + class_count), np.int64)
    place = {group: number for number, group in enumerate(groups)}
    for row in index:
        counts[place[row.group], 0] += 1
        if strata:
            counts[place[row.group], 1 + strata.index(row.stratum)] += 1
        if class_count:
            counts[place[row.group], 1 + len(strata) :] += pixels[row.name]
    return groups, counts[:, counts.any(axis=0)]


def deal(
    groups: Sequence[str], counts: Int64[np.ndarray, "groups features"], targets: Sequence[float], seed: str
) -> dict[str, int]:
    """Give each group to one of len(targets) bins, which are to get `targets` (shares that add up to 1) of everything.

    Greedy: groups with much of anything come first (by powers of two, drawn by `seed` within each), each into the bin
    that then has the smallest sum over features f and bins b of (share of f in b - target of b)^2 / target of b. The
    first feature is the number of images, and it is bounded, whatever the other features ask for:
    no bin gets more than its target plus the largest group, and bins of equal targets differ by at most the largest
    group, twice that where there are other features. For of the bins, one that is least filled (images / target) always
    may take the next group, since all that is dealt so far is less than all. No bin stays empty.

    Raises no error of its own: there must be at least as many groups as bins.
    """
    assert len(groups) >= len(targets), (len(groups), targets)
    shares = counts / counts.sum(axis=0)
    images, goals = counts[:, 0], np.array(targets)
    slack = int(images.max()) * (1 if counts.shape[1] == 1 else 2)
    dealt, filled = np.zeros((len(targets), counts.shape[1])), np.zeros(len(targets), np.int64)
    bin_of: dict[str, int] = {}
    for done, group in enumerate(_order(groups, shares, seed)):
        is_open = _open_bins(filled, goals, images, group, slack, groups_left=len(groups) - done)
        cost = ((2 * dealt + shares[group]) * shares[group]).sum(axis=1) / goals
        best = int(np.where(is_open, cost, np.inf).argmin())
        dealt[best] += shares[group]
        filled[best] += images[group]
        bin_of[groups[group]] = best
    return bin_of


def draw(seed: int | str, name: str) -> str:
    """What `name` draws: a hash and not a shuffle, so that it depends on no other name and on no order."""
    return sha256(f"{seed} {name}".encode()).hexdigest()


def _open_bins(
    filled: Int64[np.ndarray, " bins"],
    goals: Float64[np.ndarray, " bins"],
    images: Int64[np.ndarray, " groups"],
    group: int,
    slack: int,
    *,
    groups_left: int,
) -> np.ndarray:
    if groups_left <= (filled == 0).sum():
        return filled == 0
    after = filled + images[group]
    below_target = after <= goals * images.sum() + images.max() + 1e-9
    level = after / goals <= (filled / goals).min() + slack / goals.min() + 1e-9
    return below_target & level


def _order(groups: Sequence[str], shares: Float64[np.ndarray, "groups features"], seed: str) -> list[int]:
    # By powers of two only: with an exact order the seed would decide nothing, and all repeats would be alike.
    size = np.frexp(shares.sum(axis=1))[1]
    return sorted(range(len(groups)), key=lambda place: (-size[place], draw(seed, groups[place])))
