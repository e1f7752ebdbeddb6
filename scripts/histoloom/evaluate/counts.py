"""The table of counts as it is written: what is stored of a prediction, so that any score can be had from it later."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64, Int64

COLUMNS = (
    "dataset",
    "architecture",
    "fold",
    "name",
    "group",
    "stratum",
    "kind",
    "truth",
    "predicted",
    "value",
)
PAIR_COLUMNS = ("tp", "fp", "fn", "iou")
ANY = "any"  # all nuclei as one class


def pixel_rows(confusion: Int64[np.ndarray, "classes classes"]) -> Iterator[tuple[str, int, int, int]]:
    """Give (kind, truth, predicted, value) for each cell of a confusion matrix, zeros too."""
    for (truth, predicted), value in np.ndenumerate(confusion):
        yield "pixels", truth, predicted, int(value)


def pair_rows(pairs: Float64[np.ndarray, "classes 4"]) -> Iterator[tuple[str, int | str, str, int | float]]:
    """Give (kind, truth, predicted, value) for each cell of matching.pair_counts, zeros too."""
    for (row, column), value in np.ndenumerate(pairs):
        name = PAIR_COLUMNS[column]
        yield "pairs", row or ANY, name, float(value) if name == "iou" else int(value)
