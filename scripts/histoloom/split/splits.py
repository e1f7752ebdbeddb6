"""Sharing images out among folds so that no case, patient or slide is both learnt from and tested on."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from histoloom.errors import InputError
from histoloom.prepared import PARTS, IndexRow

FOLD_COLUMNS = ("fold", "part", "name", "group")
OFFICIAL_FOLDS = (1, 2, 3)
ROTATION = ((1, 2, 3), (2, 1, 3), (3, 2, 1))  # train, val, test of PanNuke's three splits (Gamper et al. 2020)


@dataclass(frozen=True)
class Member:
    """One image in one part (train, val or test) of one fold, counted from 0."""

    fold: int
    part: str
    name: str
    group: str


def split_grouped(
    index: Sequence[IndexRow], fold_count: int, validation: str, validation_fraction: float, seed: int
) -> list[Member]:
    """Give each fold its share of the groups as test part, alike in number of images and in strata.

    validation "groups": the next fold's test groups validate, all others train. validation "images":
    validation_fraction of the images of the groups not tested validate, at least one; they then judge weights that
    have seen their group, so the choice of the best epoch is optimistic, while the test part stays untouched.
    The result depends on the seed and on what is in the index, not on its order.
    Raises InputError for fewer groups than folds.
    """
    assert validation in ("groups", "images"), validation
    index = sorted(index, key=lambda row: row.name)
    fold_of = _share_groups(index, fold_count, seed)
    members = []
    for fold in range(fold_count):
        rest = [row for row in index if fold_of[row.group] != fold]
        if validation == "groups":
            held_out = {row.name for row in rest if fold_of[row.group] == (fold + 1) % fold_count}
        else:
            held_out = _choose_images(rest, validation_fraction, f"{seed} {fold}")
        for row in index:
            part = "test" if fold_of[row.group] == fold else "val" if row.name in held_out else "train"
            members.append(Member(fold, part, row.name, row.group))
    return sorted(members, key=_order)


def split_official(index: Sequence[IndexRow], fold_count: int) -> list[Member]:
    """Follow PanNuke's rotation of its three folds, its first fold_count splits.

    (train, val, test) = (1,2,3), (2,1,3), (3,2,1): fold 3 is tested twice and fold 2 never, as in the paper.
    Raises InputError where the index holds other folds, or for more than three splits.
    """
    found = sorted({row.fold for row in index}, key=str)
    if tuple(found) != OFFICIAL_FOLDS:
        raise InputError(
            f"index.csv: official folds are {_listed(found)}; expected exactly 1, 2, 3 (PanNuke's); "
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
    return sorted(members, key=_order)


def check_leaks(members: Iterable[Member], index: Sequence[IndexRow]) -> None:
    """Refuse a table of folds in which what is tested has also been learnt from, or in which a part is empty.

    Raises InputError, naming both images and both parts, where the same image or group lies in the test part and in
    train or val of one fold, where the same pixels (index's sha256) lie in any two parts of one fold, or where two
    folds test different images of one group. The official rotation tests fold 3 twice, the same images each time:
    that is no leak. Blank images are refused like others that are identical: the index tells nothing of tissue.
    """
    by_fold = defaultdict(list)
    for member in members:
        by_fold[member.fold].append(member)
    pixels = {row.name: row.sha256 for row in index}
    for fold, its_members in sorted(by_fold.items()):
        _check_parts(fold, its_members, pixels)
        _check_apart(fold, its_members, {member.name: member.name for member in its_members}, "one image")
        _check_apart(fold, its_members, {member.name: member.group for member in its_members}, "one group")
        _check_pixels(fold, its_members, pixels)
    _check_tested_once(by_fold)


def _share_groups(index: Sequence[IndexRow], fold_count: int, seed: int) -> dict[str, int]:
    # Greedy: the largest group first, each into the fold that is then least full in the group's own strata, or least
    # full at all where that is equal. Small groups come last and even out what large ones left. An empty fold is
    # always least full, so none stays empty.
    images = defaultdict(Counter)
    for row in index:
        images[row.group][row.stratum] += 1
    if len(images) < fold_count:
        raise InputError(
            f"index.csv: {len(images)} groups ({_listed(sorted(images))}); expected at least {fold_count}, one for "
            "each fold; lower split.fold_count, or give images that may be parted groups of their own"
        )
    totals = sum(images.values(), Counter())
    loads = [Counter() for _ in range(fold_count)]
    fold_of = {}
    for group in sorted(images, key=lambda name: (-images[name].total(), _draw(seed, name))):
        fold = min(range(fold_count), key=lambda fold: _fullness(loads[fold], images[group], totals))
        loads[fold] += images[group]
        fold_of[group] = fold
    return fold_of


def _fullness(load: Counter, images: Counter, totals: Counter) -> tuple[float, int]:
    in_its_strata = sum(count * load[stratum] / totals[stratum] for stratum, count in sorted(images.items()))
    return in_its_strata, load.total()


def _choose_images(rows: Sequence[IndexRow], fraction: float, seed: str) -> set[str]:
    count = max(1, round(fraction * len(rows)))
    return set(sorted((row.name for row in rows), key=lambda name: _draw(seed, name))[:count])


def _draw(seed: int | str, name: str) -> str:
    # A hash and not a shuffle: what one image draws depends on no other image.
    return sha256(f"{seed} {name}".encode()).hexdigest()


def _check_parts(fold: int, members: Sequence[Member], known: Mapping[str, str]) -> None:
    unknown = sorted({member.name for member in members} - set(known))
    if unknown:
        raise InputError(f"folds.csv: fold {fold} holds {_listed(unknown)}; expected images of index.csv; split again")
    for part in PARTS:
        if not any(member.part == part for member in members):
            raise InputError(
                f"folds.csv: fold {fold} has no image in {part}; expected at least one in each of train, val, test; "
                "lower or raise split.fold_count, or set split.validation: images"
            )


def _check_apart(fold: int, members: Sequence[Member], keys: Mapping[str, str], what: str) -> None:
    tested = {keys[member.name]: member for member in members if member.part == "test"}
    for member in members:
        other = tested.get(keys[member.name])
        if member.part != "test" and other is not None:
            raise InputError(
                f"folds.csv: fold {fold} has {what} in two parts: '{member.name}' ({member.part}) and '{other.name}' "
                f"({other.part}), group '{other.group}'; expected what is tested to be unseen; "
                "split by group, or give both images one group or drop one"
            )


def _check_pixels(fold: int, members: Sequence[Member], pixels: Mapping[str, str]) -> None:
    first_with: dict[str, Member] = {}
    for member in members:
        first = first_with.setdefault(pixels[member.name], member)
        if member.part != first.part:
            raise InputError(
                f"folds.csv: fold {fold} has identical pixels in two parts: '{first.name}' ({first.part}) and "
                f"'{member.name}' ({member.part}), groups '{first.group}' and '{member.group}'; expected each picture "
                "in one part;\nremove one of the two from the dataset (two blank tiles are identical too)"
            )


def _check_tested_once(by_fold: Mapping[int, Sequence[Member]]) -> None:
    seen = {}
    for fold, members in sorted(by_fold.items()):
        tested = defaultdict(set)
        for member in members:
            if member.part == "test":
                tested[member.group].add(member.name)
        for group, names in tested.items():
            first_fold, first_names = seen.setdefault(group, (fold, names))
            if names != first_names:
                first, second = min(first_names - names or first_names), min(names - first_names or names)
                raise InputError(
                    f"folds.csv: group '{group}' is parted: '{first}' (test of fold {first_fold}) and '{second}' "
                    f"(test of fold {fold}); expected each group whole in one test part; split by group"
                )


def _order(member: Member) -> tuple[int, int, str]:
    return member.fold, PARTS.index(member.part), member.name


def _listed(values: Sequence[object], most: int = 5) -> str:
    shown = ", ".join(str(value) for value in values[:most])
    return f"{shown}, ..." if len(values) > most else shown
