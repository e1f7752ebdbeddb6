"""Which folds the tables name as diverged."""

from pathlib import Path

import pytest

from histoloom.evaluate.tables.divergence import diverged_folds
from histoloom.files import write_table
from histoloom.train.history import HISTORY


def history(folder: Path, fold: int, *epochs: tuple[int, int, str]) -> Path:
    """A history.csv with (steps, skipped_steps, ended) of each epoch."""
    path = folder / "unet" / f"fold{fold}" / "history.csv"
    path.parent.mkdir(parents=True)
    rows = [
        dict.fromkeys(HISTORY, 0) | {"steps": steps, "skipped_steps": skipped, "ended": ended}
        for steps, skipped, ended in epochs
    ]
    write_table(path, HISTORY, rows)
    return path


@pytest.mark.parametrize(
    ("last", "has_diverged"),
    [
        ((4, 0, "finished"), False),
        ((4, 2, "finished"), False),
        ((4, 3, "finished"), True),
        ((4, 4, "early"), True),
        ((0, 0, "diverged"), True),
    ],
)
def test_a_fold_diverged_if_it_ended_so_or_lost_most_of_its_last_steps(tmp_path, last, has_diverged):
    path = history(tmp_path, 1, (4, 4, ""), last)
    assert diverged_folds([path]) == ({"unet": [1]} if has_diverged else {})


def test_folds_come_sorted_by_architecture(tmp_path):
    paths = [history(tmp_path, fold, (4, 4, "finished")) for fold in (2, 0)]
    assert diverged_folds(paths) == {"unet": [0, 2]}
