"""Which trainings did not end as they should have: their scores are of the last good weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from histoloom.prepared import read_table


def diverged_folds(histories: Sequence[Path]) -> dict[str, list[int]]:
    """Folds, by architecture, whose loss or gradient became no number: it ended training, or most of its last steps.

    With `on_divergence: skip` a training goes on without such steps; where more than half of the last epoch's were
    left out, what it gave is of the weights that came before. A path ends in <architecture>/fold<k>/history.csv.
    """
    found: dict[str, list[int]] = {}
    for path in histories:
        rows = read_table(path)
        if rows and _has_diverged(rows[-1]):
            found.setdefault(path.parts[-3], []).append(int(path.parts[-2].removeprefix("fold")))
    return {architecture: sorted(folds) for architecture, folds in found.items()}


def _has_diverged(last: Mapping[str, str]) -> bool:
    return last["ended"] == "diverged" or 2 * int(last["skipped_steps"]) > int(last["steps"])
