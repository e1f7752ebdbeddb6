"""F1 of nuclei at one of the stored IoU thresholds, for the metrics that differ in the threshold alone."""

import numpy as np
from jaxtyping import Float64, Num

THRESHOLDS = tuple(range(50, 100, 5))  # hundredths of IoU, in the order in which they are stored


def f1_at(thresholds: Num[np.ndarray, "images classes 12"], hundredths: int) -> Float64[np.ndarray, "images classes"]:
    """2 tp / (true nuclei + predicted nuclei); NaN where there is no nucleus at all."""
    nuclei = thresholds[..., :2].sum(axis=-1).astype(np.float64)
    found = thresholds[..., 2 + THRESHOLDS.index(hundredths)]
    return np.where(nuclei > 0, 2 * found / np.maximum(nuclei, 1), np.nan)
