"""The page of rounds of semi-ground truth: scores on people's pixels, what was accepted, and why rounds ended."""

import base64
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoloom.formats.images import read_image, read_mask
from histoloom.marks import is_marked
from histoloom.prepared import IndexRow, read_table
from histoloom.report.figures.rounds import RoundsRow
from histoloom.report.rendering import render
from histoloom.sample import PSEUDO

CHANGES = ("accepted", "added", "changed", "withdrawn")


@dataclass(frozen=True)
class RoundLine:
    """One round of a fold: its score on people's held-out pixels, what changed, and its classes' rows of drift.csv.

    agreement is the mean IoU over the classes that people drew, of models with people's pixels where left out. steps
    are those of training: of its first epoch, and of all epochs.
    """

    number: int
    score: float | None
    steps: tuple[int, int]
    is_kept: bool
    changes: dict[str, int]
    agreement: float | None
    classes: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class FoldRounds:
    """The rounds of one fold, the first of which is training on people's pixels alone."""

    fold: str
    reason: str
    lines: list[RoundLine]


def fold_rounds(
    fold: str,
    verdict: Mapping[str, object],
    drifts: Mapping[int, Sequence[Mapping[str, str]]],
    histories: Mapping[int, Sequence[Mapping[str, str]]],
) -> FoldRounds:
    """Of the last verdict.json of a fold and the rows of drift.csv, which round 0 lacks, and history.csv by round."""
    scores, best = verdict["scores"], verdict["best"]
    lines = [
        RoundLine(number, score, _steps(histories[number]), number == best, _sums(drifts.get(number, ())),
                  _agreement(drifts.get(number, ())), drifts.get(number, ()))
        for number, score in enumerate(scores)
    ]  # fmt: skip
    return FoldRounds(fold, str(verdict["reason"]), lines)


def fold_of(path: Path) -> str:
    """The fold of a file in fold<k>/rounds/round<r>."""
    return path.parents[2].name.removeprefix("fold")


def by_round(tables: Sequence[Path]) -> dict[str, dict[int, list[dict[str, str]]]]:
    """The rows of tables in fold<k>/rounds/round<r> by fold and round."""
    found: dict[str, dict[int, list[dict[str, str]]]] = {}
    for path in tables:
        found.setdefault(fold_of(path), {})[int(path.parent.name.removeprefix("round"))] = read_table(path)
    return found


def spread(names: Sequence[str], count: int) -> list[str]:
    """`count` of some names at even distances, the first and the last among them.

    >>> spread("abcde", 3)
    ['a', 'c', 'e']
    """
    steps = max(min(count, len(names)) - 1, 1)
    return list(dict.fromkeys(names[place * (len(names) - 1) // steps] for place in range(min(count, len(names)))))


def most_accepted_first(names: Sequence[str], last_masks: Path) -> list[str]:
    """Names of training images, those first of which the last round accepted most pixels.

    Of equal ones that first of which people drew more as some class of tissue, then by name. `last_masks` is the folder
    of that round's training masks.
    """
    counts = {name: _accepted_and_drawn(last_masks / f"{name}.png") for name in names}
    return sorted(counts, key=lambda name: (-counts[name][0], -counts[name][1], name))


def row_of(row: IndexRow, round_masks: Sequence[Path]) -> RoundsRow:
    """What is drawn of an image: itself, what people drew, and its masks in the folders of the rounds."""
    masks = [read_mask(folder / f"{row.name}.png") for folder in round_masks]
    return RoundsRow(row.name, read_image(row.image), read_mask(row.mask), masks)


def rounds_page(
    template: Path, title: str, rule: Sequence[tuple[str, str]], folds: Sequence[FoldRounds], figure: bytes, alt: str
) -> str:
    """The page; `rule` are settings and what they are set to, `figure` is a PNG, `alt` its text alternative."""
    uri = "data:image/png;base64," + base64.b64encode(figure).decode()
    return render(template, title=title, rule=rule, folds=folds, figure=uri, alt=alt)


def _accepted_and_drawn(file: Path) -> tuple[int, int]:
    """Accepted pixels of a training mask, and pixels of it that people drew as another class than background."""
    mask = read_mask(file)
    return int(is_marked(mask).sum()), int(((mask > 0) & (mask < PSEUDO)).sum())


def _steps(history: Sequence[Mapping[str, str]]) -> tuple[int, int]:
    counts = [int(row["steps"]) for row in history]
    return counts[0], sum(counts)


def _sums(rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    return {name: sum(int(row[name]) for row in rows) for name in CHANGES}


def _agreement(rows: Sequence[Mapping[str, str]]) -> float | None:
    known = [float(row["agreement_iou"]) for row in rows if row["agreement_iou"]]
    return statistics.mean(known) if known else None
