"""Strokes of a pen on a densely annotated image: what is left of it had a person annotated it sparsely."""

import zlib
from collections import deque

import cv2
import numpy as np
from jaxtyping import Bool, Int64, UInt8

from histoloom.errors import InputError
from histoloom.sample import IGNORE

BEND_RAD = 0.15  # standard deviation of the turn at each pixel of the way: about 90 degrees in 100 pixels


def image_rng(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one image, whatever other images there are and in which order they come."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def drawn_strokes(
    mask: UInt8[np.ndarray, "height width"],
    share: float,
    rng: np.random.Generator,
    *,
    width_px: int = 5,
    length_px: int = 100,
) -> UInt8[np.ndarray, "height width"]:
    """Keep of a dense mask what lies under strokes of a round pen of `width_px`, an odd number; the rest is IGNORE.

    A stroke is a smooth random line of at most `length_px` within one region of one class: it ends where the pen would
    touch another class. Classes take turns, the background among them, each beginning where nothing is drawn yet, so
    that each class that is there is drawn, in a nucleus as in a region. Of a class that is nowhere as wide as the pen
    its widest places are marked. Drawing ends with the stroke that reaches `share` (above 0, to 1) of the annotated
    pixels, but not before every class had its turn; or when each is drawn wherever the pen fits, which leaves edges.
    Raises InputError for other shares, widths and lengths.

    >>> drawn = drawn_strokes(np.zeros((64, 64), np.uint8), 0.1, np.random.default_rng(0))
    >>> bool(0.1 <= (drawn == 0).mean() < 0.1 + 5 * 100 / 64**2)
    True
    """
    _check(share, width_px, length_px)
    pen = _disc(width_px)
    wanted_px = share * np.count_nonzero(mask != IGNORE)
    regions = {int(index): mask == index for index in np.unique(mask[mask != IGNORE])}
    centres = {index: _centres(region, pen) for index, region in regions.items()}
    # Shorter strokes where little is to be drawn, so that the first class does not use it all up.
    longest = int(np.clip(wanted_px / (max(len(regions), 1) * width_px), 1, length_px))
    drawn = np.full(mask.shape, IGNORE, np.uint8)
    turns, strokes = deque(regions), 0
    while turns and (strokes < len(regions) or np.count_nonzero(drawn != IGNORE) < wanted_px):
        index = turns.popleft()
        free = np.flatnonzero(centres[index] & (drawn == IGNORE))
        if not len(free):
            continue  # it does not come up again
        start = np.array(np.unravel_index(rng.choice(free), mask.shape))
        drawn[_under_pen(_way(start, centres[index], longest, rng), pen) & regions[index]] = index
        turns.append(index)
        strokes += 1
    return drawn


def _check(share: float, width_px: int, length_px: int) -> None:
    if not 0 < share <= 1:
        raise InputError(f"share: {share}; expected more than 0 and at most 1, such as 0.05 of the pixels; mend it")
    if width_px < 1 or width_px % 2 == 0:
        raise InputError(f"width_px: {width_px}; expected an odd number of pixels, such as 5; mend it")
    if length_px < 1:
        raise InputError(f"length_px: {length_px}; expected a number of pixels, such as 100; mend it")


def _disc(width_px: int) -> UInt8[np.ndarray, "diameter diameter"]:
    offsets = np.arange(width_px) - width_px // 2
    return (np.add.outer(offsets**2, offsets**2) <= (width_px / 2) ** 2).astype(np.uint8)


def _centres(
    region: Bool[np.ndarray, "height width"], pen: UInt8[np.ndarray, "diameter diameter"]
) -> Bool[np.ndarray, "height width"]:
    # Where the pen may be set: wherever it lies within the region, what hangs over the image's edge apart.
    fits = cv2.erode(region.astype(np.uint8), pen, borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0
    if fits.any():
        return fits
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return depth == depth.max()


def _way(
    start: Int64[np.ndarray, "2"], centres: Bool[np.ndarray, "height width"], longest: int, rng: np.random.Generator
) -> Bool[np.ndarray, "height width"]:
    # Pixel steps in a direction that bends at random.
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, BEND_RAD, longest - 1))
    steps = np.stack([np.sin(headings), np.cos(headings)], axis=1)
    places = np.rint(start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])).astype(np.int64)
    is_inside = ((places >= 0) & (places < centres.shape)).all(axis=1)
    is_inside[is_inside] = centres[tuple(places[is_inside].T)]
    way = np.zeros(centres.shape, bool)
    way[tuple(places[np.logical_and.accumulate(is_inside)].T)] = True
    return way


def _under_pen(
    way: Bool[np.ndarray, "height width"], pen: UInt8[np.ndarray, "diameter diameter"]
) -> Bool[np.ndarray, "height width"]:
    return cv2.dilate(way.astype(np.uint8), pen, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
