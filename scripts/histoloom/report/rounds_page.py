"""The page of rounds of semi-ground truth: scores on people's pixels, what was accepted, and why rounds ended."""

import base64
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoloom.report.rendering import render

CHANGES = ("accepted", "added", "changed", "withdrawn")


@dataclass(frozen=True)
class RoundLine:
    """One round of a fold: its score on people's held-out pixels, what changed, and its classes' rows of drift.csv.

    agreement is the mean IoU over the classes that people drew, of models with people's pixels where left out.
    """

    number: int
    score: float | None
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
    fold: str, verdict: Mapping[str, object], drifts: Mapping[int, Sequence[Mapping[str, str]]]
) -> FoldRounds:
    """Of the last verdict.json of a fold and the rows of drift.csv by round; round 0 has none."""
    scores, best = verdict["scores"], verdict["best"]
    lines = [
        RoundLine(number, score, number == best, _sums(drifts.get(number, ())), _agreement(drifts.get(number, ())),
                  drifts.get(number, ()))
        for number, score in enumerate(scores)
    ]  # fmt: skip
    return FoldRounds(fold, str(verdict["reason"]), lines)


def rounds_page(
    template: Path, title: str, rule: Sequence[tuple[str, str]], folds: Sequence[FoldRounds], figure: bytes, alt: str
) -> str:
    """The page; `rule` are settings and what they are set to, `figure` is a PNG, `alt` its text alternative."""
    uri = "data:image/png;base64," + base64.b64encode(figure).decode()
    return render(template, title=title, rule=rule, folds=folds, figure=uri, alt=alt)


def _sums(rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    return {name: sum(int(row[name]) for row in rows) for name in CHANGES}


def _agreement(rows: Sequence[Mapping[str, str]]) -> float | None:
    known = [float(row["agreement_iou"]) for row in rows if row["agreement_iou"]]
    return statistics.mean(known) if known else None
