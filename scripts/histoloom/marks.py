"""Marked pixels of training masks: a model saw their class and a stated rule accepted it; nobody drew them.

A marked pixel has the value PSEUDO + class, so that no reader can take it for one that a person annotated: to whatever
knows nothing of marks it is an unknown class, which is refused.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, Real, UInt8

from histoloom.sample import IGNORE, PSEUDO


def is_marked(mask: UInt8[Any, "*shape"]) -> Bool[Any, "*shape"]:
    """Which pixels a rule accepted, of an array of numpy or of torch.

    >>> is_marked(np.array([0, 126, 128, 130, 255], np.uint8))
    array([False, False,  True,  True, False])
    """
    return (mask >= PSEUDO) & (mask != IGNORE)


def unmarked(mask: UInt8[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Class indices of all annotated pixels, marked or not; 255 where there is neither.

    >>> unmarked(np.array([0, 1, 128, 130, 255], np.uint8))
    array([  0,   1,   0,   2, 255], dtype=uint8)
    """
    return np.where(is_marked(mask), mask - PSEUDO, mask).astype(np.uint8)


def weighted_pixels(
    pixels: Int64[np.ndarray, "256"], class_count: int, pseudo_weight: float
) -> Real[np.ndarray, " classes"]:
    """Pixels of each class, of which `pixels` have each mask value; a marked one counts `pseudo_weight`.

    >>> counts = np.zeros(256, np.int64)
    >>> counts[[0, 1, 129]] = 7, 2, 4
    >>> weighted_pixels(counts, 2, 0.5)
    array([7., 4.])
    """
    drawn = pixels[:class_count]
    return drawn + pseudo_weight * pixels[PSEUDO : PSEUDO + class_count] if pseudo_weight else drawn
