"""Brier score: how far predicted probabilities are from what was there, squared."""

import numpy as np
from jaxtyping import Float64, Num

from histoloom.evaluate.counting.probability_histogram import LEVELS, sides

LOWER_IS_BETTER = True


def brier(probabilities: Num[np.ndarray, "images classes 512"]) -> Float64[np.ndarray, "images classes"]:
    """Mean squared difference in [0, 1] of the class's probability from 1 or 0; NaN where no pixel is annotated.

    probabilities[i, c, b] is the number of annotated pixels of image i that are not of class c and have probability
    b / 255 of it; probabilities[i, c, 256 + b] that of pixels of the class.
    Defined where the class is in neither truth nor prediction too: a probability near to 0 is right there.
    Source: Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 1950, of each
    class against all others.

    >>> brier(np.bincount([0, 256 + 255, 256 + 0, 255], minlength=512)[None, None])  # two right, two wrong
    array([[0.5]])
    """
    other, own = sides(probabilities)
    pixels = (other + own).sum(axis=-1)
    squares = other @ LEVELS**2 + own @ (1 - LEVELS) ** 2
    return np.where(pixels > 0, squares / np.maximum(pixels, 1), np.nan)
