"""Nuclei by a network's horizontal and vertical maps: they jump where one nucleus ends and the next begins."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, UInt8

from histoloom.errors import InputError
from histoloom.predict.foreground import connected_patches, foreground_mask, renumbered
from histoloom.predict.marker_growth import grow_markers

LARGEST_KERNEL_PX = 31  # of OpenCV's Sobel operator
BRIDGE_PX = 5  # markers joined by less than this are two
SMOOTHING_PX = 3  # of the landscape: side of the window
STEEPEST = 65535  # whole numbers are smoothed without rounding errors, so a part of an image gives what the whole gives


def hover(
    probabilities: UInt8[np.ndarray, "height width classes"],
    maps: Int8[np.ndarray, "height width 2"],  # no None: the check of a config reads here that they are needed
    surveyed: Float64[np.ndarray, " 4"] | None = None,
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
    foreground without any is one nucleus, so that small nuclei are not lost. `surveyed` is what `survey` says of a
    slide of which this is a part; without it, this is the whole image.
    Raises InputError without maps and for options out of range.
    Source: Graham et al. 2019, HoVer-Net: simultaneous segmentation and classification of nuclei.
    """
    _check_maps(maps, probabilities.shape[:2])
    _check_options(edge, kernel_px, min_marker_px)
    mask = foreground_mask(probabilities, foreground)
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    slopes = _slopes(maps, kernel_px)
    steepest = _extremes(slopes, mask) if surveyed is None else surveyed
    edges = np.maximum(_fall(slopes[0], *steepest[:2]), _fall(slopes[1], *steepest[2:]))
    depth = 1 + cv2.GaussianBlur((STEEPEST - edges) * mask, (SMOOTHING_PX, SMOOTHING_PX), 0)
    return grow_markers(_markers(mask & (edges < edge * STEEPEST), mask, min_marker_px), depth, mask)


def survey(
    probabilities: UInt8[np.ndarray, "height width classes"],
    maps: Int8[np.ndarray, "height width 2"],
    inside: tuple[slice, slice],
    *,
    foreground: float = 0.5,
    kernel_px: int = 21,
    **_others: object,
) -> Float64[np.ndarray, " 4"]:
    """What `hover` scales by, of one part of a slide: of several parts the larger of each figure counts.

    The figures are how steeply each map falls and rises at most, over the foreground in the rows and columns `inside`;
    what lies outside is context. -inf where there is no foreground. Raises InputError as `hover` does.
    """
    _check_maps(maps, probabilities.shape[:2])
    mask = foreground_mask(probabilities[inside], foreground)
    return _extremes([slope[inside] for slope in _slopes(maps, kernel_px)], mask)


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


def _slopes(maps: Int8[np.ndarray, "height width 2"], kernel_px: int) -> list[Float64[np.ndarray, "height width"]]:
    # Each map along its own direction: up where it rises. In 64 bits all is whole numbers, without rounding errors.
    directions = ((1, 0), (0, 1))
    planes = cv2.split(np.ascontiguousarray(maps).astype(np.float64))
    return [
        cv2.Sobel(plane, cv2.CV_64F, *direction, ksize=kernel_px)
        for plane, direction in zip(planes, directions, strict=True)
    ]


def _extremes(
    slopes: list[Float64[np.ndarray, "height width"]], mask: Bool[np.ndarray, "height width"]
) -> Float64[np.ndarray, " 4"]:
    found = (slope[mask] for slope in slopes)
    return np.array([side.max(initial=-np.inf) for values in found for side in (-values, values)])


def _fall(slope: Float64[np.ndarray, "height width"], fall: float, rise: float) -> Float32[np.ndarray, "height width"]:
    # Inside a nucleus a map rises, at its edge it falls: 0 where it rises most, STEEPEST where it falls most.
    if fall + rise <= 0:
        return np.zeros(slope.shape, np.float32)
    return np.rint(np.clip((rise - slope) / (rise + fall), 0, 1) * STEEPEST).astype(np.float32)


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
