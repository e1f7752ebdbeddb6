"""What is missing in the parts of the folds: classes, strata, groups; worth knowing before hours of training."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from histoloom.findings import Finding, listed
from histoloom.prepare.duplicates.pairs import Duplicate
from histoloom.prepared import PARTS, IndexRow
from histoloom.split.folds.clusters import blank_images
from histoloom.split.folds.members import Member

FEWEST_GROUPS = 2  # in a part: the scores of one case alone say nothing of the next
OUTCOMES = {
    "train": "nothing of it can be learnt there",
    "val": "the choice of the best epoch does not heed it",
    "test": "its scores there are undefined",
}


def fold_findings(
    members: Sequence[Member], index: Sequence[IndexRow], classes: Sequence[str], pixels: Mapping[str, Sequence[int]]
) -> list[Finding]:
    """Warnings for classes and strata that a part of a fold lacks and for parts of one group; images left out.

    `pixels` are the annotated pixels of each class by image. A class or stratum that no image has is not missed here:
    inspection says so. Order: fold, part, then classes, strata, groups.
    """
    parts = defaultdict(list)
    for member in members:
        parts[member.fold, member.part].append(member)
    rows = {row.name: row for row in index}
    found: list[Finding] = []
    for fold, part in sorted(parts, key=lambda place: (place[0], PARTS.index(place[1]))):
        its_rows = [rows[member.name] for member in parts[fold, part]]
        found += _classes(f"{part} of fold {fold}", OUTCOMES[part], its_rows, classes, pixels)
        found += _strata(f"{part} of fold {fold}", its_rows, index)
        found += _groups(f"{part} of fold {fold}", its_rows)
    return [*found, *_left_out(members, index)]


def joined_findings(joined: Mapping[str, str]) -> list[Finding]:
    """Groups that are dealt out as one because they have a picture in common."""
    together = defaultdict(list)
    for group, first in sorted(joined.items()):
        together[first].append(group)
    return [
        Finding("info", "joined_groups", first, f"groups {listed(groups)} have pictures in common and count as one")
        for first, groups in together.items()
        if len(groups) > 1
    ]


def blank_findings(duplicates: Iterable[Duplicate]) -> list[Finding]:
    """Blank images with the pixels of another one: they keep no groups together and are no leak."""
    names = sorted(blank_images(duplicates))
    if not names:
        return []
    message = (
        f"{len(names)} images ({listed(names)}) show nothing and have the pixels of another of them; they may lie in "
        "several parts, as there is nothing to learn from them; remove them where they are not meant to count"
    )
    return [Finding("info", "blank_twins", "folds", message)]


def repeat_findings(members: Sequence[Member], folds_in_repeat: int) -> Iterator[Finding]:
    """A warning for each repeat that tests the same images together as an earlier one: it tells nothing new."""
    tested = defaultdict(set)
    for member in members:
        if member.part == "test":
            tested[member.fold].add(member.name)
    first_with: dict[frozenset, int] = {}
    for start in range(0, len(tested), folds_in_repeat):
        draw = frozenset(frozenset(tested[fold]) for fold in range(start, start + folds_in_repeat))
        first = first_with.setdefault(draw, start)
        if first != start:
            message = (
                f"folds from {start} test the same images together as folds from {first}; "
                "there are too few groups for another draw; lower split.repeats"
            )
            yield Finding("warning", "repeated_draw", f"fold {start}", message)


def _classes(
    place: str, outcome: str, rows: Sequence[IndexRow], classes: Sequence[str], pixels: Mapping[str, Sequence[int]]
) -> Iterator[Finding]:
    for number, name in enumerate(classes):
        in_dataset = any(counts[number] for counts in pixels.values())
        if in_dataset and not any(pixels[row.name][number] for row in rows):
            message = f"class '{name}' has no pixel in {place}; {outcome}; try another seed, fold_count or stratify"
            yield Finding("warning", "class_missing", name, message)


def _strata(place: str, rows: Sequence[IndexRow], index: Sequence[IndexRow]) -> Iterator[Finding]:
    missing = sorted({row.stratum for row in index} - {row.stratum for row in rows})
    if missing:
        message = f"{len(missing)} strata ({listed(missing)}) have no image in {place}; try another seed or stratify"
        yield Finding("warning", "stratum_missing", place, message)


def _groups(place: str, rows: Sequence[IndexRow]) -> Iterator[Finding]:
    groups = sorted({row.group for row in rows})
    if len(groups) < FEWEST_GROUPS:
        message = f"{place} holds one group only ('{groups[0]}'); what is seen there may not hold for another"
        yield Finding("warning", "few_groups", place, message)


def _left_out(members: Sequence[Member], index: Sequence[IndexRow]) -> Iterator[Finding]:
    named = {member.name for member in members}
    missing = sorted(row.name for row in index if row.name not in named)
    if missing:
        yield Finding("info", "left_out", "folds", f"{len(missing)} images ({listed(missing)}) take part in no fold")
