"""Images, masks and nuclei at a lower resolution: one pixel for each block of factor x factor.

Where the size is no multiple of the factor, the last row or column of blocks is filled up by mirroring (edge pixels
repeated), so sizes are rounded up and block (i, j) always covers native rows i*factor .. and columns j*factor ..
"""

import cv2
import numpy as np
from jaxtyping import Int32, UInt8

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
    blocks = _blocks(mask, factor)
    winner = np.full(blocks.shape[1:], IGNORE, np.uint8)
    most = np.ones(winner.shape, np.int64)
    for index in np.unique(mask[mask != IGNORE]):  # ascending: the higher class wins a tie
        pixels = (blocks == index).sum(axis=0)
        winner[pixels >= most] = index
        most = np.maximum(most, pixels)
    winner[2 * (blocks == IGNORE).sum(axis=0) > factor**2] = IGNORE
    return winner


def downsampled_instances(
    instances: Int32[np.ndarray, "height width"], mask: UInt8[np.ndarray, "height width"], factor: int
) -> Int32[np.ndarray, "small_height small_width"]:
    """Give the nucleus id with most pixels in each block, of equals the one met first; 0 where most lies in no nucleus.

    A block belongs to a nucleus if at least as many of its pixels lie in nuclei as are annotated and lie in none. So
    wherever `downsampled_mask` sees nuclei there is an id, if the mask's foreground is the nuclei: no nucleus gets lost
    that the mask keeps, but one that shares all its blocks with larger neighbours.

    >>> downsampled_instances(np.array([[7, 0, 4, 9], [0, 7, 9, 9]], np.int32), np.zeros((2, 4), np.uint8), 2)
    array([[7, 9]], dtype=int32)
    """
    if factor == 1:
        return instances
    blocks = _blocks(instances, factor)
    winner, most = (np.zeros(blocks.shape[1:], np.int32) for _ in range(2))
    for ids in blocks:
        pixels = (blocks == ids).sum(axis=0)
        is_better = (ids > 0) & (pixels > most)
        winner[is_better], most[is_better] = ids[is_better], pixels[is_better]
    is_outside = (blocks == 0) & (_blocks(mask, factor) != IGNORE)
    winner[is_outside.sum(axis=0) > (blocks > 0).sum(axis=0)] = 0
    return winner


def downsampled_length(length: int, factor: int) -> int:
    """Give the number of blocks along `length` pixels."""
    return -(-length // factor)


def _blocks(values: np.ndarray, factor: int) -> np.ndarray:
    # (factor * factor, small height, small width): the pixels of each block along the first axis, row by row.
    padded = _padded(values, factor)
    height, width = (length // factor for length in padded.shape)
    return padded.reshape(height, factor, width, factor).transpose(1, 3, 0, 2).reshape(factor**2, height, width)


def _padded(pixels: np.ndarray, factor: int) -> np.ndarray:
    below, right = (-length % factor for length in pixels.shape[:2])
    return cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REFLECT)
