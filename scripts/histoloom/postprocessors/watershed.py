"""Nuclei by their outline alone: touching ones are cut apart at their necks, so any network will do."""

import cv2
import numpy as np
from jaxtyping import Bool, Int8, Int32, Int64, UInt8, UInt16

from histoloom.errors import InputError
from histoloom.predict.foreground import connected_patches, foreground_mask, renumbered
from histoloom.predict.marker_growth import grow_markers

# The distance is counted in whole steps of 1/512 px. Whole numbers are smoothed without rounding errors, so a part of
# an image gives what the whole gives.
STEPS = 512
DEEPEST_PX = 127  # what is deeper is no nucleus; 16 bits hold it and half a pixel more
SMOOTHING_PX = 1.0  # of the distance map: outlines are ragged by a pixel, and each rag would be a peak
SAME_PEAK = STEPS // 2  # peaks on a ridge that falls less below its surroundings are one: a bar is not many nuclei


def watershed(
    probabilities: UInt8[np.ndarray, "height width classes"],
    maps: Int8[np.ndarray, "height width 2"] | None,
    *,
    foreground: float = 0.5,
    min_distance_px: int = 6,
) -> Int32[np.ndarray, "height width"]:
    """Nuclei with ids from 1 without gaps, 0 where there is none: watershed of the distance to the background.

    `foreground` is the least probability of being anything but background. Each pixel belongs to the peak of the
    smoothed distance that lies uphill of it (see grow_markers). Peaks lie further than `min_distance_px` apart in rows
    or columns; every patch of foreground has one at least. What lies beyond the image counts neither as background nor
    as foreground.
    Source: Vincent and Soille 1991 (watershed), Malpica et al. 1997 (of distances, for nuclei).
    """
    if min_distance_px < 1:
        raise InputError(
            f"watershed: option min_distance_px={min_distance_px}; expected 1 or more; see predict.method_options"
        )
    mask = foreground_mask(probabilities, foreground)
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    steps = (np.minimum(distance, DEEPEST_PX) * STEPS + 0.5).astype(np.uint16)
    depth = cv2.GaussianBlur(steps, (0, 0), SMOOTHING_PX)
    return grow_markers(_markers(depth, mask, min_distance_px), depth, mask)


def _markers(
    depth: UInt16[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"], min_distance_px: int
) -> Int32[np.ndarray, "height width"]:
    window = np.ones((2 * min_distance_px + 1,) * 2, np.uint8)
    surroundings = cv2.dilate(depth, window)
    is_top = mask & (depth + SAME_PEAK >= surroundings)
    markers, count = connected_patches(is_top)
    peaks = np.flatnonzero(is_top & (depth == surroundings))
    ids, tops, has_peak = markers.ravel(), np.flatnonzero(is_top), np.zeros(count + 1, bool)
    has_peak[ids[peaks[_is_last(peaks, mask.shape, window)]]] = True
    ids[tops] = renumbered(ids[tops], has_peak)
    return markers


def _is_last(
    peaks: Int64[np.ndarray, " peaks"], shape: tuple[int, int], window: UInt8[np.ndarray, "side side"]
) -> Bool[np.ndarray, " peaks"]:
    # Of equal peaks nearer than the least distance only the last counts. Small numbers are spread quickest.
    numbers = np.arange(1, len(peaks) + 1, dtype=np.uint16 if len(peaks) < 2**16 else np.float64)
    order = np.zeros(shape, numbers.dtype)
    order.ravel()[peaks] = numbers
    return cv2.dilate(order, window).ravel()[peaks] == numbers
