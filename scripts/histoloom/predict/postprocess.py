"""From class probabilities to nuclei: foreground split by a watershed, cleaned, and each nucleus given its class."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

SMOOTHING_PX = 1.0  # of the distance map: outlines are ragged by a pixel, and each rag would be a peak
SAME_PEAK_PX = 0.5  # peaks on a ridge that falls less below its surroundings are one: a bar is not many nuclei


@dataclass(frozen=True)
class Nucleus:
    """One nucleus: id in the instance map, class index, centroid and area in pixels, mean probability of its class."""

    number: int
    class_index: int
    row: float
    column: float
    area_px: int
    mean_probability: float


def class_regions(
    probabilities: UInt8[np.ndarray, "height width classes"], min_area_px: int
) -> UInt8[np.ndarray, "height width"]:
    """The most probable class of each pixel, the first of equals; foreground patches under the area are background.

    A patch is foreground of whatever classes, joined by pixel edges.
    """
    classes = probabilities.argmax(axis=2).astype(np.uint8)
    patches, _ = ndimage.label(classes > 0)
    classes[np.bincount(patches.ravel())[patches] < min_area_px] = 0
    return classes


def split_nuclei(
    foreground: Bool[np.ndarray, "height width"], min_distance_px: int, min_area_px: int
) -> Int32[np.ndarray, "height width"]:
    """Nuclei of a foreground mask, ids from 1 without gaps: touching ones are cut apart at their necks.

    Watershed of the smoothed distance to the background from its peaks, which lie further than `min_distance_px`
    apart; every patch has one at least. What lies beyond the image counts neither as background nor as foreground.
    Nuclei smaller than `min_area_px` are left out.
    Source: Vincent and Soille 1991 (watershed), Malpica et al. 1997 (of distances, for nuclei).
    """
    # OpenCV takes a mask without any background as infinitely deep; there the depth says nothing, so it is level.
    distance = cv2.distanceTransform(foreground.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    depth = np.ones_like(distance) if foreground.all() else cv2.GaussianBlur(distance, (0, 0), SMOOTHING_PX)
    nuclei = watershed(-depth, _markers(depth, foreground, min_distance_px), mask=foreground)
    areas = np.bincount(nuclei.ravel())
    kept = areas >= min_area_px
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[nuclei]


def describe_nuclei(
    nuclei: Int32[np.ndarray, "height width"], probabilities: UInt8[np.ndarray, "height width classes"]
) -> list[Nucleus]:
    """Class, centroid, area and mean probability of each nucleus, by id.

    The class is the foreground class with the largest sum of probabilities over its pixels, the first of equals.
    """
    ids, count, foreground = nuclei.ravel(), int(nuclei.max(initial=0)), probabilities.shape[2] - 1
    areas = np.bincount(ids, minlength=count + 1)[1:]
    rows, columns = (np.bincount(ids, weights=place.ravel())[1:] / areas for place in np.indices(nuclei.shape))
    sums = np.stack([np.bincount(ids, probabilities[..., 1 + k].ravel())[1:] for k in range(foreground)], axis=1)
    classes = sums.argmax(axis=1)
    means = sums[np.arange(count), classes] / areas / 255
    values = zip(range(1, count + 1), classes + 1, rows, columns, areas, means, strict=True)
    return [Nucleus(i, int(k), float(r), float(c), int(area), float(mean)) for i, k, r, c, area, mean in values]


def _markers(
    depth: Float32[np.ndarray, "height width"], foreground: Bool[np.ndarray, "height width"], min_distance_px: int
) -> Int32[np.ndarray, "height width"]:
    peaks = peak_local_max(depth * foreground, min_distance=min_distance_px, exclude_border=False)
    surroundings = ndimage.maximum_filter(depth, size=2 * min_distance_px + 1)
    tops, _ = ndimage.label(foreground & (depth >= surroundings - SAME_PEAK_PX))
    has_peak = np.zeros(tops.max() + 1, bool)
    has_peak[tops[tuple(peaks.T)]] = True
    has_peak[0] = False
    chosen = has_peak[tops]
    # A patch in the shade of a larger neighbour has no peak of its own: all of it is the marker.
    patches, count = ndimage.label(foreground)
    is_marked = np.zeros(count + 1, bool)
    is_marked[patches[chosen]] = True
    markers, _ = ndimage.label(chosen | (foreground & ~is_marked[patches]))
    return markers.astype(np.int32)
