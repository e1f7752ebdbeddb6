"""Steps that see no further than a halo, band by band: smoothing, the most probable class, opening and closing."""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import UInt8

from histoloom.predict.regions.morphology import closed, most_probable, opened
from histoloom.predict.regions.settings import RegionPlan, reach
from histoloom.predict.regions.smoothing import smoothed

TILE_PX = 1024  # columns worked on at once, so that what is computed of them stays in the processor's cache
Rows = Callable[[int, int], UInt8[np.ndarray, "rows columns classes"]]


def classes_in_bands(
    rows: Rows, height: int, bands: Iterable[tuple[int, int]], plan: RegionPlan
) -> Iterator[UInt8[np.ndarray, "rows columns"]]:
    """The class of each pixel, a band after the other: `bands` are (first row, row after the last), from the top.

    `rows(first, last)` gives probabilities; each row is asked for once, in order. Beyond the image the nearest pixel's
    probabilities go on without end. How the rows are cut into bands changes nothing.
    """
    halo, kept, start, end = plan.halo_px, None, 0, 0
    for first, last in bands:
        top, bottom = max(first - halo, 0), min(last + halo, height)
        if bottom > end:
            new = rows(end, bottom).transpose(2, 0, 1)
            kept = new if kept is None or top >= end else np.concatenate([kept[:, top - start :], new], axis=1)
        else:
            kept = kept[:, top - start :]
        start, end = top, max(bottom, end)
        yield _classes_of_band(kept, first - top, last - top, plan)


def local_classes(
    planes: UInt8[np.ndarray, "classes rows columns"], plan: RegionPlan
) -> UInt8[np.ndarray, "inner_rows inner_columns"]:
    """The class of each pixel that is `plan.halo_px` from the edge: smoothed, most probable, opened, closed."""
    if not planes[1:].any():  # no kernel makes something of nothing
        halo = plan.halo_px
        return np.zeros((planes.shape[1] - 2 * halo, planes.shape[2] - 2 * halo), np.uint8)
    values = smoothed(planes, plan)
    classes = most_probable(values)
    for step, radius_squared in ((opened, plan.opening_squared), (closed, plan.closing_squared)):
        if radius_squared:
            inner = slice(2 * reach(radius_squared), -2 * reach(radius_squared))
            classes, values = step(classes, values, radius_squared)[inner, inner], values[:, inner, inner]
    return np.ascontiguousarray(classes)


def _classes_of_band(
    planes: UInt8[np.ndarray, "classes rows columns"], first: int, last: int, plan: RegionPlan
) -> UInt8[np.ndarray, "_ columns"]:
    halo, width = plan.halo_px, planes.shape[2]
    classes = np.empty((last - first, width), np.uint8)
    above, below = max(halo - first, 0), max(last + halo - planes.shape[1], 0)
    inside = slice(max(first - halo, 0), last + halo)
    for left in range(0, width, TILE_PX):
        right = min(left + TILE_PX, width)
        tile = planes[:, inside, max(left - halo, 0) : right + halo]
        beyond = (above, below, max(halo - left, 0), max(right + halo - width, 0))
        classes[:, left:right] = local_classes(_continued(tile, *beyond), plan)
    return classes


def _continued(
    planes: UInt8[np.ndarray, "classes rows columns"], above: int, below: int, left: int, right: int
) -> UInt8[np.ndarray, "classes _ _"]:
    repeat = (above, below, left, right, cv2.BORDER_REPLICATE)
    return np.stack([cv2.copyMakeBorder(plane, *repeat) for plane in planes])
