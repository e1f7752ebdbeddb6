"""Expected calibration error: how far predicted probabilities are from how often the class is there."""

import numpy as np
from jaxtyping import Float64, Num

from histoloom.evaluate.counting.probability_histogram import calibration_bins

LOWER_IS_BETTER = True


def ece(probabilities: Num[np.ndarray, "images classes 512"]) -> Float64[np.ndarray, "images classes"]:
    """Expected calibration error (15 bins of equal width) in [0, 1]; NaN where no pixel is annotated.

    The mean over pixels of |mean probability of the class - share of the class| in the bin of the pixel's probability.
    A bin holds its lower limit, the last one also 1; the limits, k / 15, are stored bytes, so bins are exact.
    probabilities[i, c, b] is the number of annotated pixels of image i that are not of class c and have probability
    b / 255 of it; probabilities[i, c, 256 + b] that of pixels of the class.
    Source: Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015; of each class
    against all others.

    >>> ece(np.bincount([255, 256 + 255, 256 + 255, 256 + 255], minlength=512)[None, None])  # says 1, is 3/4
    array([[0.25]])
    """
    bins = calibration_bins(probabilities)
    pixels = bins.pixels.sum(axis=-1)
    gaps = np.abs(bins.own - bins.probability).sum(axis=-1)
    return np.where(pixels > 0, gaps / np.maximum(pixels, 1), np.nan)
