"""Nuclei by a network's horizontal and vertical maps: they jump where one nucleus ends and the next begins."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int8, Int32, UInt8

from histoloom.errors import InputError
from histoloom.predict.foreground import connected_patches, foreground_mask, grow_markers, renumbered

LARGEST_KERNEL_PX = 31  # of OpenCV's Sobel operator
BRIDGE_PX = 5  # markers joined by less than this are two
SMOOTHING_PX = 3  # of the landscape: side of the window


def hover(
    probabilities: UInt8[np.ndarray, "height width classes"],
    maps: Int8[np.ndarray, "height width 2"],  # no None: the check of a config reads here that they are needed
    *,
    foreground: float = 0.5,
    edge: float = 0.4,
    kernel_px: int = 21,
    min_marker_px: int = 10,
) -> Int32[np.ndarray, "height width"]:
    """Nuclei with ids from 1 without gaps, 0 where there is none: parted where the maps fall steeply.

    `maps` are the horizontal and vertical map, 127 for +1. `foreground` is the least probability of being anything
    but background. `kernel_px` is the side of the Sobel operator (21 at 40x, odd, 3 to 31). How steeply a map falls
    along its own direction is scaled to 0 .. 1 over the image's foreground; foreground below `edge` in both, of
    `min_marker_px` pixels or more, is a nucleus' marker. Markers grow into the steeper places, and a patch of
    foreground without any is one nucleus, so that small nuclei are not lost.
    Raises InputError without maps and for options out of range.
    Source: Graham et al. 2019, HoVer-Net: simultaneous segmentation and classification of nuclei.
    """
    _check_maps(maps, probabilities.shape[:2])
    _check_options(edge, kernel_px, min_marker_px)
    mask = foreground_mask(probabilities, foreground)
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    falls = [_fall(maps[..., channel], mask, channel, kernel_px) for channel in (0, 1)]
    edges = np.maximum(*falls)
    landscape = -cv2.GaussianBlur((1 - edges) * mask, (SMOOTHING_PX, SMOOTHING_PX), 0)
    return grow_markers(_markers(mask & (edges < edge), mask, min_marker_px), landscape, mask)


def _check_maps(maps: np.ndarray | None, shape: tuple[int, int]) -> None:
    if maps is None:
        raise InputError(
            "predict.method hover: the network has no instance maps; expected horizontal and vertical maps; train with "
            "a loss of the maps such as hv, or set predict.method: watershed"
        )
    if maps.shape[:2] != shape:
        raise InputError(f"hover: maps of {maps.shape[:2]} pixels; expected {shape} as probabilities; predict again")


def _check_options(edge: float, kernel_px: int, min_marker_px: int) -> None:
    allowed = {
        "edge": (edge, 0 < edge <= 1, "above 0 and at most 1"),
        "kernel_px": (kernel_px, kernel_px in range(3, LARGEST_KERNEL_PX + 1, 2), "an odd number from 3 to 31"),
        "min_marker_px": (min_marker_px, min_marker_px >= 0, "0 or more"),
    }
    for name, (value, is_right, expected) in allowed.items():
        if not is_right:
            raise InputError(f"hover: option {name}={value}; expected {expected}; see predict.method_options")


def _fall(
    one_map: Int8[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"], channel: int, kernel_px: int
) -> Float32[np.ndarray, "height width"]:
    # Inside a nucleus a map rises, at its edge it falls: 0 where it rises most, 1 where it falls most.
    along_columns, along_rows = (1, 0) if channel == 0 else (0, 1)
    slope = cv2.Sobel(one_map.astype(np.float32), cv2.CV_32F, along_columns, along_rows, ksize=kernel_px)
    steepest, least = slope[mask].min(), slope[mask].max()
    if steepest == least:
        return np.zeros_like(slope)
    return np.clip((least - slope) / (least - steepest), 0, 1)


def _markers(
    inner: Bool[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"], min_marker_px: int
) -> Int32[np.ndarray, "height width"]:
    # What is smaller than a marker is noise, in it as a hole and beside it as a speck.
    holes, _ = connected_patches(~inner)
    filled = inner | (mask & (np.bincount(holes.ravel()) < min_marker_px)[holes])
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (BRIDGE_PX, BRIDGE_PX))
    opened = cv2.morphologyEx(filled.astype(np.uint8), cv2.MORPH_OPEN, bridge) > 0
    markers, _ = connected_patches(opened)
    return renumbered(markers, np.bincount(markers.ravel()) >= min_marker_px)
