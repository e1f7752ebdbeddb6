"""Images and masks at a lower resolution: one pixel for each block of factor x factor.

Where the size is no multiple of the factor, the last row or column of blocks is filled up by mirroring (edge pixels
repeated), so sizes are rounded up and block (i, j) always covers native rows i*factor .. and columns j*factor ..
"""

import cv2
import numpy as np
from jaxtyping import UInt8

from histoloom.sample import IGNORE


def downsampled_image(
    image: UInt8[np.ndarray, "height width 3"], factor: int
) -> UInt8[np.ndarray, "small_height small_width 3"]:
    """Give the mean colour of each block, rounded."""
    if factor == 1:
        return image
    padded = _padded(image, factor)
    size = (padded.shape[1] // factor, padded.shape[0] // factor)
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA)


def downsampled_mask(
    mask: UInt8[np.ndarray, "height width"], factor: int
) -> UInt8[np.ndarray, "small_height small_width"]:
    """Give the most frequent class of each block, the higher one of two as frequent; IGNORE where most is unannotated.

    A block with at least half of its pixels annotated counts as annotated.

    >>> downsampled_mask(np.array([[0, 1, 2, 255], [0, 1, 255, 255]], np.uint8), 2)
    array([[  1, 255]], dtype=uint8)
    """
    if factor == 1:
        return mask
    padded = _padded(mask, factor)
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    winner = np.full((blocks.shape[0], blocks.shape[2]), IGNORE, np.uint8)
    most = np.ones(winner.shape, np.int64)
    for index in np.unique(mask[mask != IGNORE]):  # ascending: the higher class wins a tie
        pixels = (blocks == index).sum(axis=(1, 3))
        winner[pixels >= most] = index
        most = np.maximum(most, pixels)
    winner[2 * (blocks == IGNORE).sum(axis=(1, 3)) > factor**2] = IGNORE
    return winner


def downsampled_length(length: int, factor: int) -> int:
    """Give the number of blocks along `length` pixels."""
    return -(-length // factor)


def _padded(pixels: np.ndarray, factor: int) -> np.ndarray:
    below, right = (-length % factor for length in pixels.shape[:2])
    return cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REFLECT)
