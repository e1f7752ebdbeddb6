"""Brier skill score: R2 of predicted probabilities, against knowing only how much of the image the class covers."""

import numpy as np
from jaxtyping import Float64, Num

from histoloom.evaluate.counting.probability_histogram import sides
from histoloom.metrics.brier import brier


def brier_skill(probabilities: Num[np.ndarray, "images classes 512"]) -> Float64[np.ndarray, "images classes"]:
    """Brier skill, 1 - Brier score / (p (1 - p)), in (-inf, 1]; NaN where truth has nothing but the class, or none.

    p is the class's share of the annotated pixels: predicting it everywhere scores 0. For probabilities of 0 and 1 it
    is the R2 of masks.
    probabilities[i, c, b] is the number of annotated pixels of image i that are not of class c and have probability
    b / 255 of it; probabilities[i, c, 256 + b] that of pixels of the class.
    Source: Murphy, Skill scores based on the mean square error, Monthly Weather Review 1988.

    >>> brier_skill(np.bincount([0, 0, 256 + 255, 256 + 0], minlength=512)[None, None])  # 1 - 1/4 / (1/2 * 1/2)
    array([[0.]])
    """
    other, own = (side.sum(axis=-1) for side in sides(probabilities))
    pixels = np.maximum(other + own, 1)
    uncertainty = (own / pixels) * (other / pixels)
    return np.where(uncertainty > 0, 1 - brier(probabilities) / np.where(uncertainty > 0, uncertainty, 1), np.nan)
