"""Sharing images out among folds so that no case, patient or slide is both learnt from and tested on."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from histoloom.errors import InputError
from histoloom.findings import listed
from histoloom.prepared import PARTS, IndexRow
from histoloom.split.folds.members import Member, in_order
from histoloom.split.folds.strata import deal, draw, group_counts

OFFICIAL_FOLDS = (1, 2, 3)
ROTATION = ((1, 2, 3), (2, 1, 3), (3, 2, 1))  # train, val, test of PanNuke's three splits (Gamper et al. 2020)


@dataclass(frozen=True)
class Material:
    """What is to be shared out: the images, and what must go together or be spread.

    `joined` maps groups to the group that they count with (clusters.joined_groups); `pictures` maps images to the first
    that shows the same picture (clusters.pictures_of); `pixels` are those of each class by image; `stratify` names what
    every part gets its share of (strata.STRATIFY). Names that a mapping lacks stand for themselves.
    """

    index: Sequence[IndexRow]
    joined: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    pixels: Mapping[str, Sequence[int]] = field(default_factory=dict)
    stratify: Sequence[str] = ()

    def rows(self) -> list[IndexRow]:
        """The images by name, each with the group that it counts with."""
        rows = sorted(self.index, key=lambda row: row.name)
        return [replace(row, group=self.joined.get(row.group, row.group)) for row in rows]


def split_grouped(
    material: Material, fold_count: int, repeats: int, validation: str, validation_fraction: float, seed: int
) -> list[Member]:
    """Give each fold its share of the groups as test part; repeat r has folds r * fold_count and on, drawn anew.

    How evenly the groups are dealt is said at strata.deal. validation "groups": the next fold's test groups validate,
    all others train. validation "images": validation_fraction of the images of the groups not tested validate, at least
    one, from every group its share, images of one picture together; they then judge weights that have seen their group,
    so the choice of the best epoch is optimistic, while the test part stays untouched.
    The result depends on the seed and on what is in the index, not on its order.
    Raises InputError for fewer groups than folds.
    """
    assert validation in ("groups", "images"), validation
    rows, members = material.rows(), []
    for repeat in range(repeats):
        drawn = _drawn(seed, repeat)
        fold_of = _deal(
            material, rows, [1 / fold_count] * fold_count, drawn, "one for each fold; lower split.fold_count"
        )
        for fold in range(fold_count):
            rest = [row for row in rows if fold_of[row.group] != fold]
            if validation == "groups":
                held_out = {row.name for row in rest if fold_of[row.group] == (fold + 1) % fold_count}
            else:
                count = round(validation_fraction * len(rest))
                held_out = _choose_images(rest, count, f"{drawn} {fold}", material.pictures)
            tested = {row.name for row in rows if fold_of[row.group] == fold}
            members += _members(material, repeat * fold_count + fold, held_out, tested)
    return in_order(members)


def split_images(
    material: Material, fold_count: int, repeats: int, validation: str, validation_fraction: float, seed: int
) -> list[Member]:
    """Deal images to folds as split_grouped deals groups: what is tested may have its group in training, so IT LEAKS.

    For comparison with studies that did so. Images of one picture still stay together, and members keep their groups,
    by which intervals are drawn. Raises InputError for fewer pictures than folds.
    """
    group_of = {row.name: row.group for row in material.index}
    alone = [replace(row, group=material.pictures.get(row.name, row.name)) for row in material.index]
    parted = replace(material, index=alone, joined={})
    members = split_grouped(parted, fold_count, repeats, validation, validation_fraction, seed)
    return [replace(member, group=group_of[member.name]) for member in members]


def split_proportions(
    material: Material, repeats: int, test_fraction: float, validation: str, validation_fraction: float, seed: int
) -> list[Member]:
    """Test test_fraction of all images, whole groups, and train on the rest but for what validates; one draw a fold.

    validation "groups": groups with validation_fraction of all images validate. validation "images": so many images
    of the groups not tested do (see split_grouped). There are `repeats` folds; a group may be tested in several.
    Raises InputError for fractions that leave nothing to train on, and for fewer groups than parts.
    """
    _check_fractions(test_fraction, validation_fraction)
    rows, members = material.rows(), []
    targets = [test_fraction, 1 - test_fraction]
    if validation == "groups":
        targets = [test_fraction, 1 - test_fraction - validation_fraction, validation_fraction]
    for fold in range(repeats):
        drawn = _drawn(seed, fold)
        bin_of = _deal(material, rows, targets, drawn, "one for each part; set split.validation: images")
        rest = [row for row in rows if bin_of[row.group] != 0]
        if validation == "groups":
            held_out = {row.name for row in rest if bin_of[row.group] == 2}
        else:
            count = round(validation_fraction * len(rows))
            held_out = _choose_images(rest, count, f"{drawn} {fold}", material.pictures)
        members += _members(material, fold, held_out, {row.name for row in rows if bin_of[row.group] == 0})
    return in_order(members)


def split_official(index: Sequence[IndexRow], fold_count: int) -> list[Member]:
    """Follow PanNuke's rotation of its three folds, its first fold_count splits.

    (train, val, test) = (1,2,3), (2,1,3), (3,2,1): fold 3 is tested twice and fold 2 never, as in the paper.
    Raises InputError where the index holds other folds, or for more than three splits.
    """
    found = sorted({row.fold for row in index}, key=str)
    if tuple(found) != OFFICIAL_FOLDS:
        stated = [fold for fold in found if fold is not None]
        raise InputError(
            f"index.csv: official folds are {listed(stated) or 'not stated'}; expected exactly 1, 2, 3 (PanNuke's); "
            "set split.scheme: grouped for a dataset without them"
        )
    if fold_count > len(ROTATION):
        raise InputError(
            f"split.fold_count: {fold_count}; expected at most 3, the splits of the official rotation; "
            "lower it or set split.scheme: grouped"
        )
    members = []
    for fold, official in enumerate(ROTATION[:fold_count]):
        part_of = dict(zip(official, PARTS, strict=True))
        members += [Member(fold, part_of[row.fold], row.name, row.group) for row in index]
    return in_order(members)


def _deal(
    material: Material, rows: Sequence[IndexRow], targets: Sequence[float], seed: str, purpose: str
) -> dict[str, int]:
    groups, counts = group_counts(rows, material.pixels, material.stratify)
    if len(groups) < len(targets):
        merged = len({row.group for row in material.index}) - len(groups)
        joined = f" after {merged} were joined with others for near duplicates" if merged else ""
        raise InputError(
            f"index.csv: {len(groups)} groups ({listed(groups)}){joined}; expected at least {len(targets)}, {purpose}, "
            "or give images that may be parted groups of their own"
        )
    return deal(groups, counts, targets, seed)


def _drawn(seed: int, repeat: int) -> str:
    return f"{seed} {repeat}"


def _choose_images(rows: Sequence[IndexRow], count: int, seed: str, pictures: Mapping[str, str]) -> set[str]:
    # From every group its share, as near as whole images go: each picture's place in its own group's drawn order.
    together = defaultdict(list)
    for row in rows:
        together[pictures.get(row.name, row.name)].append(row)
    of_group = defaultdict(list)
    for picture in sorted(together, key=lambda picture: draw(seed, picture)):
        of_group[min(row.group for row in together[picture])].append(picture)
    places = {
        picture: ((place + 0.5) / len(drawn), draw(seed, picture))
        for drawn in of_group.values()
        for place, picture in enumerate(drawn)
    }
    names = [[row.name for row in together[picture]] for picture in sorted(together, key=places.__getitem__)]
    chosen: set[str] = set()
    for alike in names:
        if len(chosen) + len(alike) <= count:
            chosen.update(alike)
    return chosen or set(min(names, key=len))


def _members(material: Material, fold: int, held_out: set[str], tested: set[str]) -> Iterator[Member]:
    for row in material.index:
        part = "test" if row.name in tested else "val" if row.name in held_out else "train"
        yield Member(fold, part, row.name, row.group)


def _check_fractions(test_fraction: float, validation_fraction: float) -> None:
    if not (test_fraction > 0 and validation_fraction > 0 and test_fraction + validation_fraction < 1):
        raise InputError(
            f"split.test_fraction: {test_fraction} and validation_fraction: {validation_fraction}; expected both above "
            "0 and together below 1, which leaves the rest for training; lower one"
        )
