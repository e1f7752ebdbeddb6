"""How many pixels of each class masks have: counted here for inspection, folds, baselines and training alike."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Int64, UInt8

BLOCK_PX = 1 << 22  # pixels counted at once: bincount makes eight bytes of each


def value_pixels(mask: UInt8[np.ndarray, "_ _"]) -> Int64[np.ndarray, "256"]:
    """Number of pixels of each mask value, 255 (not annotated) included.

    >>> value_pixels(np.array([[0, 0, 2]], np.uint8))[:3]
    array([2, 0, 1])
    """
    counts, pixels = np.zeros(256, np.int64), mask.reshape(-1)
    for first in range(0, len(pixels), BLOCK_PX):
        counts += np.bincount(pixels[first : first + BLOCK_PX], minlength=256)
    return counts


def class_pixels(masks: Iterable[UInt8[np.ndarray, "_ _"]], class_count: int) -> Int64[np.ndarray, " classes"]:
    """Pixels of each class over all masks; 255 (not annotated) counts for none.

    >>> class_pixels([np.array([[0, 1, 1], [255, 0, 0]], np.uint8)], 3)
    array([3, 2, 0])
    """
    return sum((value_pixels(mask) for mask in masks), np.zeros(256, np.int64))[:class_count]
