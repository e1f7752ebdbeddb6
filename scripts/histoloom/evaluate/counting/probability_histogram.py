"""How often each probability was predicted, for pixels of a class and for others: the fact behind calibration."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Num, UInt8

from histoloom.evaluate.counting.facts import ANY, BYTES
from histoloom.sample import IGNORE

LEVELS = np.arange(BYTES) / (BYTES - 1)  # the probability that each stored byte stands for
BINS = 15  # as most papers on calibration have; 255 = 15 * 17, so every bin starts at a byte
BIN_STARTS = np.arange(BINS) * ((BYTES - 1) // BINS)


@dataclass(frozen=True)
class Bins:
    """Pixels in 15 bins of equal width of the predicted probability; a bin holds its lower limit, the last one also 1.

    `pixels` are all, `own` those of the class, and `probability` the sum of what was predicted for all.
    """

    pixels: Float64[np.ndarray, "*shape 15"]
    own: Float64[np.ndarray, "*shape 15"]
    probability: Float64[np.ndarray, "*shape 15"]


def probability_histogram(
    truth: UInt8[np.ndarray, "height width"], probabilities: UInt8[np.ndarray, "height width classes"]
) -> Int64[np.ndarray, "classes 512"]:
    """Count annotated pixels by the class's probability (a byte, 255 = 1): first those not of the class, then its own.

    Row c is class c; row 0 takes all classes but background as one, with 255 minus the byte of background. Pixels
    whose truth is 255 never count. Raises ValueError for a class in truth that has no probability.

    >>> bytes_of_pixels = np.array([[[250, 5], [55, 200], [0, 255]]], np.uint8)
    >>> found = probability_histogram(np.array([[0, 1, 255]], np.uint8), bytes_of_pixels)
    >>> [np.flatnonzero(row).tolist() for row in found]  # 5 and, of the class, 256 + 200
    [[5, 456], [5, 456]]
    """
    annotated, n_classes = truth != IGNORE, probabilities.shape[2]
    classes = truth[annotated]
    if classes.size and classes.max() >= n_classes:
        raise ValueError(
            f"truth holds class {classes.max()}; expected 0 to {n_classes - 1} or {IGNORE} (not annotated)"
        )
    rows = []
    for row in range(n_classes):
        values = probabilities[..., row][annotated]
        values, is_own = (BYTES - 1 - values, classes > 0) if row == ANY else (values, classes == row)
        rows.append(np.bincount(values + BYTES * is_own, minlength=2 * BYTES))
    return np.stack(rows).astype(np.int64)


def sides(
    probabilities: Num[np.ndarray, "*shape 512"],
) -> tuple[Float64[np.ndarray, "*shape 256"], Float64[np.ndarray, "*shape 256"]]:
    """Pixels of other classes and pixels of the class by the class's probability, as floats: squares fit in them."""
    other, own = np.split(probabilities.astype(np.float64), 2, axis=-1)
    return other, own


def calibration_bins(probabilities: Num[np.ndarray, "*shape 512"]) -> Bins:
    """Gather the 256 values of a probability in 15 bins.

    >>> found = calibration_bins(np.bincount([16, 17, 256 + 255], minlength=512))
    >>> [np.flatnonzero(each).tolist() for each in (found.pixels, found.own)]
    [[0, 1, 14], [14]]
    """
    other, own = sides(probabilities)
    gathered = [np.add.reduceat(each, BIN_STARTS, axis=-1) for each in (other + own, own, (other + own) * LEVELS)]
    return Bins(*gathered)
