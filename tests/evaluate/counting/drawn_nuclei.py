"""Maps of nuclei for tests, and their counts when all are of one class."""

from collections.abc import Sequence

import numpy as np

from histoloom.evaluate.counting.nuclei_counts import nuclei_counts
from histoloom.evaluate.counting.nucleus_table import ANY

FACTS = ("pairs", "aggregated", "object_overlap", "thresholds", "centroids", "errors", "sizes")
RADIUS_PX, EDGES_PX = 4.0, (20.0, 60.0)


def nuclei(*rows: Sequence[int]) -> np.ndarray:
    return np.array(rows, np.int32)


def discs(seed: int, count: int = 30, size: int = 96) -> np.ndarray:
    """Discs of radius 3 to 6 pixels, later ones over earlier ones: some touch, some are cut."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    canvas = np.zeros((size, size), np.int32)
    for number in range(1, count + 1):
        row, column = rng.uniform(0, size, 2)
        canvas[(rows - row) ** 2 + (columns - column) ** 2 <= rng.uniform(3, 6) ** 2] = number
    return canvas


def predicted_of(truth: np.ndarray, seed: int) -> np.ndarray:
    """What a middling model makes of the truth: moved, some lost, some merged, some split, some from nowhere."""
    rng = np.random.default_rng(seed + 1000)
    ids = rng.permutation(np.unique(truth[truth > 0]))
    moved = np.roll(truth, rng.integers(-1, 2, 2), (0, 1))
    moved[np.isin(moved, ids[:4])] = 0
    moved[moved == ids[4]] = ids[5]
    for number in ids[6:10]:
        middle = int(np.mean(np.nonzero(moved == number)[0])) if (moved == number).any() else 0
        moved[middle:][moved[middle:] == number] = number + 100
    extra = discs(seed + 2000, count=6, size=len(truth))
    return np.where((moved == 0) & (extra > 0), extra + 200, moved).astype(np.int32)


def one_class(predicted: np.ndarray) -> dict[int, int]:
    return dict.fromkeys(np.unique(predicted).tolist(), 1)


def count(truth: np.ndarray, predicted: np.ndarray, *facts: str) -> dict[str, np.ndarray]:
    """The facts of maps in which every nucleus is of class 1."""
    mask = (truth > 0).astype(np.uint8)
    return nuclei_counts(truth, mask, predicted, one_class(predicted), 2, facts or FACTS, RADIUS_PX, EDGES_PX)


def fact(truth: np.ndarray, predicted: np.ndarray, name: str) -> list[float]:
    """The row of all nuclei of one fact."""
    return count(truth, predicted, name)[name][ANY].tolist()
