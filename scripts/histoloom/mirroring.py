"""Parts of an image that may reach beyond it: tissue is continued by mirrors at the border pixels."""

import cv2
import numpy as np
from jaxtyping import Int, Int32, Shaped

COPY = 1 << 24  # ids of nuclei are below, and copies add a multiple of it


def mirrored_part(
    pixels: Shaped[np.ndarray, "height width *channels"], row: int, column: int, part_height: int, part_width: int
) -> Shaped[np.ndarray, "{part_height} {part_width} *channels"]:
    """The part whose top-left pixel is (row, column), mirrored as often as needed where it leaves the image.

    The border pixel itself is not doubled (cb|abc, not cba|abc). A view where the part lies inside. Of a memory-mapped
    image only what is needed is read. For uint8 and int32, of one channel (no axis for it), three or four.

    >>> mirrored_part(np.array([[1, 2, 3]], np.uint8), 0, -2, 1, 6)
    array([[3, 2, 1, 2, 3, 2]], dtype=uint8)
    """
    height, width = pixels.shape[:2]
    top, bottom = _shown(row, row + part_height, height)
    left, right = _shown(column, column + part_width, width)
    part = pixels[top:bottom, left:right]
    beyond = (
        max(-row, 0),
        max(row + part_height - height, 0),
        max(-column, 0),
        max(column + part_width - width, 0),
    )
    if any(beyond):
        part = cv2.copyMakeBorder(part, *beyond, borderType=cv2.BORDER_REFLECT_101)
    return part[max(row, 0) - top :, max(column, 0) - left :][:part_height, :part_width]


def mirrored_nuclei(
    ids: Int32[np.ndarray, "height width"], row: int, column: int, part_height: int, part_width: int
) -> Int32[np.ndarray, "{part_height} {part_width}"]:
    """The same part of a map of nucleus ids, in which a mirror image of a nucleus is a nucleus of its own.

    With one id they would be one object, whose centre lies between them. Ids are kept in the image itself if it is
    shown; copies have others, above 2^24. Where these numbers do not
    suffice, all are numbered anew.

    >>> mirrored_nuclei(np.array([[7, 7, 0]], np.int32), 0, -2, 1, 5) % COPY
    array([[0, 7, 7, 7, 0]], dtype=int32)
    """
    part = mirrored_part(ids, row, column, part_height, part_width)
    rows, columns = _mirrorings(row, part_height, ids.shape[0]), _mirrorings(column, part_width, ids.shape[1])
    if not rows.any() and not columns.any():
        return part
    # 0 for the image, then outwards on both sides: a whole number for each place in the pattern of mirror images.
    rows, columns = (np.where(each < 0, -2 * each - 1, 2 * each) for each in (rows, columns))
    copies = rows[:, None] * (columns.max() + 1) + columns
    found = np.where(part > 0, part + copies * COPY, 0)
    if part.max() >= COPY or found.max() > np.iinfo(np.int32).max:
        found = np.unique(part + copies * (1 << 32), return_inverse=True)[1].reshape(part.shape) + 1
        found[part == 0] = 0
    return found.astype(np.int32)


def mirrored(
    pixels: Shaped[np.ndarray, "height width *channels"], row: int, column: int, part_height: int, part_width: int
) -> Shaped[np.ndarray, "{part_height} {part_width} *channels"]:
    """The part of an image or a mask (uint8), or of a map of nucleus ids (int32), as each has to be mirrored."""
    take = mirrored_nuclei if pixels.dtype == np.int32 else mirrored_part
    return take(pixels, row, column, part_height, part_width)


def _mirrorings(first: int, count: int, size: int) -> Int[np.ndarray, " count"]:
    # How often each of `count` pixels from `first` lies beyond the image's borders: 0 within, -1 in the first mirror
    # image before it, 1 in the first one after it.
    places, period = np.arange(first, first + count), max(size - 1, 1)
    return np.where(places <= 0, places, places - 1) // period


def _shown(first: int, end: int, size: int) -> tuple[int, int]:
    # The part of 0..size that first..end shows once mirrored at both ends, edges included where they are crossed.
    return max(0, min(first, 2 * size - 1 - end)), min(size, max(end, 1 - first))
