"""The check that nothing is tested, or chosen by, that has been learnt from; it stops the workflow."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from histoloom.errors import InputError
from histoloom.findings import Finding, listed
from histoloom.prepare.duplicates.pairs import Duplicate
from histoloom.prepared import PARTS, IndexRow
from histoloom.split.folds.clusters import connected, identical_pairs
from histoloom.split.folds.members import Member

PARTED = "groups_parted"  # kind of the finding that groups lie on both sides by choice


def check_leaks(
    members: Sequence[Member],
    index: Sequence[IndexRow],
    duplicates: Sequence[Duplicate] = (),
    *,
    may_part_groups: bool = False,
) -> None:
    """Refuse a table of folds in which what is tested has also been learnt from, or in which a part is empty.

    Raises InputError, naming both images, their files, both parts and both folds, where the same image lies in two
    parts of one fold; a group lies in the test part and in train or val; the same picture lies in two parts, which is:
    the same pixels (index's sha256), flipped or turned ones, or near `duplicates`; or where two folds test different
    images of one group. The official rotation tests fold 3 twice, the same images each time, and repeats test all
    images again: that is no leak. Blank images of equal pixels (kind "blank" in `duplicates`) are none either. An image
    that is identical to one of a near pair counts as that one; two images that are near a third one are not thereby
    near each other. With `may_part_groups` groups may lie in several parts, of which parted_groups tells.
    """
    known = {row.name: row for row in index}
    by_fold = _by_fold(members)
    for fold, its_members in by_fold.items():
        _check_parts(fold, its_members, known)
        _check_images(its_members, known, by_fold)
        if not may_part_groups:
            _check_groups(its_members, known, by_fold)
        for one, other in _identical(its_members, index, duplicates):
            raise InputError(_identical_message(one, other, known, by_fold))
        for pair, one, other in _near(its_members, index, duplicates):
            raise InputError(_near_message(pair, one, other, known, by_fold))
    if not may_part_groups:
        _check_tested_once(by_fold)


def parted_groups(members: Sequence[Member]) -> list[Finding]:
    """A warning of how many tests are of images whose group is learnt from or validated by too; none where none is."""
    seen = {(member.fold, member.group) for member in members if member.part != "test"}
    tested = [(member.fold, member.group) for member in members if member.part == "test"]
    leaking = sum(place in seen for place in tested)
    if not leaking:
        return []
    message = (
        f"{leaking} of {len(tested)} tests are of images whose group (case, slide) is also in train or val of that "
        "fold, since split.scheme: images parts groups; its scores flatter and stand for no new case; "
        "report scheme: grouped"
    )
    return [Finding("warning", PARTED, "folds", message)]


def near_findings(
    members: Sequence[Member], index: Sequence[IndexRow], duplicates: Sequence[Duplicate]
) -> list[Finding]:
    """A warning for each near pair that lies in two parts of a fold, for those who have looked and let it pass."""
    return [
        Finding(
            "warning",
            "near_duplicate",
            one.name,
            f"fold {one.fold} has '{one.name}' in {one.part} and '{other.name}' in {other.part}, which look alike "
            f"({_closeness(pair)}); if they are one picture, its scores flatter: set split.near_duplicates: stop",
        )
        for its_members in _by_fold(members).values()
        for pair, one, other in _near(its_members, index, duplicates)
    ]


def _identical(
    members: Sequence[Member], index: Sequence[IndexRow], duplicates: Iterable[Duplicate]
) -> Iterator[tuple[Member, Member]]:
    picture_of = _pictures(index, duplicates)
    first_with: dict[str, Member] = {}
    for member in members:
        first = first_with.setdefault(picture_of[member.name], member)
        if member.part != first.part:
            yield first, member


def _near(
    members: Sequence[Member], index: Sequence[IndexRow], duplicates: Sequence[Duplicate]
) -> Iterator[tuple[Duplicate, Member, Member]]:
    near = [pair for pair in duplicates if pair.kind == "near"]
    picture_of = _pictures(index, duplicates)
    with_picture: dict[str, dict[str, Member]] = defaultdict(dict)
    for member in members:
        with_picture[picture_of[member.name]].setdefault(member.part, member)
    for pair in near:
        firsts, seconds = (with_picture[picture_of[name]].values() for name in (pair.first, pair.second))
        apart = ((one, other) for one in firsts for other in seconds if one.part != other.part)
        yield from ((pair, one, other) for one, other in apart)


def _pictures(index: Sequence[IndexRow], duplicates: Iterable[Duplicate]) -> dict[str, str]:
    return connected((row.name for row in index), identical_pairs(index, duplicates))


def _check_parts(fold: int, members: Sequence[Member], known: Mapping[str, IndexRow]) -> None:
    unknown = sorted({member.name for member in members} - set(known))
    if unknown:
        raise InputError(f"folds.csv: fold {fold} holds {listed(unknown)}; expected images of index.csv; split again")
    for part in PARTS:
        if not any(member.part == part for member in members):
            raise InputError(
                f"folds.csv: fold {fold} has no image in {part}; expected at least one in each of train, val, test; "
                "lower or raise split.fold_count, or set split.validation: images"
            )


def _check_images(members: Sequence[Member], known: Mapping[str, IndexRow], by_fold: Mapping) -> None:
    first_of: dict[str, Member] = {}
    for member in members:
        first = first_of.setdefault(member.name, member)
        if member.part != first.part:
            raise InputError(_apart_message("one image", *_tested_last(first, member), known, by_fold))


def _check_groups(members: Sequence[Member], known: Mapping[str, IndexRow], by_fold: Mapping) -> None:
    # Both what folds.csv says and what the index says: a list may have been made for an older index.
    for group_of in ({member.name: member.group for member in members}, {name: known[name].group for name in known}):
        tested = {group_of[member.name]: member for member in members if member.part == "test"}
        for member in members:
            other = tested.get(group_of[member.name])
            if member.part != "test" and other is not None:
                raise InputError(_apart_message("one group", member, other, known, by_fold))


def _check_tested_once(by_fold: Mapping[int, Sequence[Member]]) -> None:
    seen = {}
    for fold, members in by_fold.items():
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


def _apart_message(what: str, one: Member, other: Member, known: Mapping[str, IndexRow], by_fold: Mapping) -> str:
    return (
        f"folds.csv: fold {one.fold} has {what} in two parts: '{one.name}' ({one.part}) and '{other.name}' "
        f"({other.part}), group '{other.group}'; expected what is tested to be unseen; "
        "split by group, or give both images one group or drop one" + _files(one, other, known, by_fold)
    )


def _identical_message(one: Member, other: Member, known: Mapping[str, IndexRow], by_fold: Mapping) -> str:
    is_turned = known[one.name].sha256 != known[other.name].sha256
    what = "identical pixels, flipped or turned," if is_turned else "identical pixels"
    return (
        f"folds.csv: fold {one.fold} has {what} in two parts: '{one.name}' ({one.part}) and "
        f"'{other.name}' ({other.part}), groups '{one.group}' and '{other.group}'; expected each picture "
        "in one part;\nremove one of the two from the dataset, or set split.near_duplicates: join with scheme grouped "
        "or proportions" + _files(one, other, known, by_fold)
    )


def _near_message(pair: Duplicate, one: Member, other: Member, known: Mapping[str, IndexRow], by_fold: Mapping) -> str:
    return (
        f"folds.csv: fold {one.fold} has near duplicates in two parts: '{one.name}' ({one.part}) and "
        f"'{other.name}' ({other.part}), groups '{one.group}' and '{other.group}' ({_closeness(pair)}); expected each "
        "picture in one part;\nremove one of the two, or set split.near_duplicates: join (with scheme grouped or "
        "proportions; their groups then stay together) or warn (where they differ after all)"
        + _files(one, other, known, by_fold)
    )


def _closeness(pair: Duplicate) -> str:
    change = "" if pair.change == "none" else f"{pair.change}, "
    return f"{change}{pair.distance} hash bits differ"


def _files(one: Member, other: Member, known: Mapping[str, IndexRow], by_fold: Mapping) -> str:
    places = (
        f"'{member.name}' is {known[member.name].source}, {_tested_in(member, by_fold)}" for member in (one, other)
    )
    return "\n" + "; ".join(places)


def _tested_in(member: Member, by_fold: Mapping[int, Sequence[Member]]) -> str:
    name = member.name
    folds = [fold for fold, its in by_fold.items() if any((it.name, it.part) == (name, "test") for it in its)]
    return f"tested in fold {listed(folds)}" if folds else "never tested"


def _tested_last(one: Member, other: Member) -> tuple[Member, Member]:
    return (other, one) if one.part == "test" else (one, other)


def _by_fold(members: Iterable[Member]) -> dict[int, list[Member]]:
    by_fold = defaultdict(list)
    for member in sorted(members, key=lambda member: member.fold):
        by_fold[member.fold].append(member)
    return dict(by_fold)
