"""What is foreground, and into which patches it falls."""

from math import ceil

import cv2
import numpy as np
from jaxtyping import Bool, Int32, UInt8

from histoloom.errors import InputError


def foreground_mask(
    probabilities: UInt8[np.ndarray, "height width classes"], threshold: float
) -> Bool[np.ndarray, "height width"]:
    """Pixels whose probability of being anything but background is at least `threshold`, above 0 and at most 1.

    With two classes 0.5 is the more probable class, background where both are equal. With more, classes that share
    the foreground between them count together. Raises InputError for another threshold.

    >>> foreground_mask(np.array([[[127, 128], [128, 127]]], np.uint8), 0.5)
    array([[ True, False]])
    """
    if not 0 < threshold <= 1:
        raise InputError(f"option foreground={threshold}; expected above 0 and at most 1; see predict.method_options")
    least = ceil(round(255 * threshold, 6))  # rounded, since 255 * 0.2 must not become 51.000000001
    return probabilities[..., 0] <= 255 - least


def connected_patches(mask: Bool[np.ndarray, "height width"]) -> tuple[Int32[np.ndarray, "height width"], int]:
    """Patches joined by pixel edges, ids from 1 in the order of their first pixels, and how many there are."""
    count, patches = cv2.connectedComponents(mask.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    return patches, count - 1


def renumbered(nuclei: Int32[np.ndarray, "*shape"], is_kept: Bool[np.ndarray, " ids"]) -> Int32[np.ndarray, "*shape"]:
    """The nuclei whose id is kept, ids from 1 without gaps in the order that they had; `is_kept` has a place for 0 too.

    >>> renumbered(np.array([[0, 1, 3, 5]], np.int32), np.array([0, 1, 0, 0, 0, 1], bool))
    array([[0, 1, 0, 2]], dtype=int32)
    """
    numbers = np.cumsum(is_kept[1:], dtype=np.int32) * is_kept[1:]
    return np.concatenate([np.zeros(1, np.int32), numbers])[nuclei]
