"""How many pixels of each value a mask has: of what inspection counts, the part by which folds are dealt."""

import numpy as np
from jaxtyping import Int64, UInt8


def class_pixels(mask: UInt8[np.ndarray, "height width"]) -> Int64[np.ndarray, "256"]:
    """Number of pixels of each mask value, 255 (not annotated) included.

    >>> class_pixels(np.array([[0, 0, 2]], np.uint8))[:3]
    array([2, 0, 1])
    """
    return np.bincount(mask.ravel(), minlength=256)
