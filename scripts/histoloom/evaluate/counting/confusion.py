"""The stored fact behind every pixel metric: how many annotated pixels of each true class were given each class."""

import numpy as np
from jaxtyping import Int64, UInt8

from histoloom.sample import IGNORE


def confusion_matrix(
    truth: UInt8[np.ndarray, "height width"], predicted: UInt8[np.ndarray, "height width"], classes: int
) -> Int64[np.ndarray, "{classes} {classes}"]:
    """Count pixels by true class (row) and predicted class (column); pixels whose truth is 255 never count.

    Raises ValueError for a class index that does not exist, in truth or anywhere in the prediction.

    >>> truth, predicted = np.array([[0, 1, 255]], np.uint8), np.array([[0, 0, 1]], np.uint8)
    >>> confusion_matrix(truth, predicted, 2)
    array([[1, 0],
           [1, 0]])
    """
    if predicted.size and predicted.max() >= classes:
        raise ValueError(f"prediction holds class {predicted.max()}; expected 0 to {classes - 1}")
    # 256 rows, one for each value a mask can hold: what must not count is cut off after the one pass.
    pairs = truth.astype(np.int64).ravel() * classes + predicted.ravel()
    counts = np.bincount(pairs, minlength=(IGNORE + 1) * classes).reshape(IGNORE + 1, classes)
    unknown = np.flatnonzero(counts[classes:IGNORE].any(axis=1)) + classes
    if unknown.size:
        raise ValueError(f"truth holds class {unknown[0]}; expected 0 to {classes - 1} or {IGNORE} (not annotated)")
    return counts[:classes].astype(np.int64)


def foreground(confusion: Int64[np.ndarray, "*images classes classes"]) -> Int64[np.ndarray, "*images 2 2"]:
    """Merge all classes but the background into one: a confusion of one foreground class for another is then right.

    >>> foreground(np.array([[5, 1, 0], [2, 3, 4], [0, 6, 7]]))
    array([[ 5,  1],
           [ 2, 20]])
    """
    rows = np.add.reduceat(confusion, [0, 1], axis=-2)
    return np.add.reduceat(rows, [0, 1], axis=-1)
