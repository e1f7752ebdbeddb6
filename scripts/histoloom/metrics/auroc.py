"""Area under the ROC curve: how well the probability ranks pixels of a class above others, at no threshold."""

import numpy as np
from jaxtyping import Float64, Num

from histoloom.evaluate.counting.probability_histogram import sides


def auroc(probabilities: Num[np.ndarray, "images classes 512"]) -> Float64[np.ndarray, "images classes"]:
    """Area under the ROC curve in [0, 1]; NaN where truth has nothing but the class, or none of it.

    The share of pairs of a pixel of the class and another in which the first has the higher probability; equal ones
    count a half. Chance scores 0.5 however rare the class.
    probabilities[i, c, b] is the number of annotated pixels of image i that are not of class c and have probability
    b / 255 of it; probabilities[i, c, 256 + b] that of pixels of the class.
    Source: Hanley and McNeil, The meaning and use of the area under a ROC curve, Radiology 1982.

    >>> auroc(np.bincount([10, 20, 256 + 20, 256 + 30], minlength=512)[None, None])  # 3.5 of 4 pairs
    array([[0.875]])
    """
    other, own = sides(probabilities)
    lower = np.cumsum(other, axis=-1) - other
    won = (own * (lower + other / 2)).sum(axis=-1)
    pairs = own.sum(axis=-1) * other.sum(axis=-1)
    return np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan)
