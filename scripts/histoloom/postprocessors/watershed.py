"""Nuclei by their outline alone: touching ones are cut apart at their necks, so any network will do."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int8, Int32, UInt8

from histoloom.errors import InputError
from histoloom.predict.foreground import connected_patches, foreground_mask, grow_markers, renumbered

SMOOTHING_PX = 1.0  # of the distance map: outlines are ragged by a pixel, and each rag would be a peak
SAME_PEAK_PX = 0.5  # peaks on a ridge that falls less below its surroundings are one: a bar is not many nuclei
TILT_PX = 1e-3  # by which the depth rises over the whole image, so that of two equal peaks one is the higher


def watershed(
    probabilities: UInt8[np.ndarray, "height width classes"],
    maps: Int8[np.ndarray, "height width 2"] | None,
    *,
    foreground: float = 0.5,
    min_distance_px: int = 6,
) -> Int32[np.ndarray, "height width"]:
    """Nuclei with ids from 1 without gaps, 0 where there is none: watershed of the distance to the background.

    `foreground` is the least probability of being anything but background. The smoothed distance is flooded from its
    peaks, which lie further than `min_distance_px` apart in rows or columns; every patch of foreground has one at
    least. What lies beyond the image counts neither as background nor as foreground.
    Source: Vincent and Soille 1991 (watershed), Malpica et al. 1997 (of distances, for nuclei).
    """
    if min_distance_px < 1:
        raise InputError(
            f"watershed: option min_distance_px={min_distance_px}; expected 1 or more; see predict.method_options"
        )
    mask = foreground_mask(probabilities, foreground)
    # OpenCV takes a mask without any background as infinitely deep; there the depth says nothing, so it is level.
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    depth = np.ones_like(distance) if mask.all() else cv2.GaussianBlur(distance, (0, 0), SMOOTHING_PX)
    return grow_markers(_markers(depth, mask, min_distance_px), -depth, mask)


def _markers(
    depth: Float32[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"], min_distance_px: int
) -> Int32[np.ndarray, "height width"]:
    tilted = depth + np.linspace(0, TILT_PX, depth.size).reshape(depth.shape)
    side = 2 * min_distance_px + 1
    surroundings = cv2.dilate(tilted, np.ones((side, side), np.uint8))
    tops, count = connected_patches(mask & (tilted >= surroundings - SAME_PEAK_PX))
    has_peak = np.zeros(count + 1, bool)
    has_peak[tops[mask & (tilted == surroundings)]] = True
    return renumbered(tops, has_peak)
