"""What is foreground, into which patches it falls, and how it is divided among markers."""

from math import ceil

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt8
from skimage.segmentation import watershed

from histoloom.errors import InputError


def foreground_mask(
    probabilities: UInt8[np.ndarray, "height width classes"], threshold: float
) -> Bool[np.ndarray, "height width"]:
    """Pixels whose probability of being anything but background is at least `threshold`, above 0 and at most 1.

    With two classes 0.5 is the more probable class, background where both are equal. With more, classes that share
    the foreground between them count together. Raises InputError for another threshold.

    >>> foreground_mask(np.array([[[127, 128], [128, 127]]], np.uint8), 0.5)
    array([[ True, False]])
    """
    if not 0 < threshold <= 1:
        raise InputError(f"option foreground={threshold}; expected above 0 and at most 1; see predict.method_options")
    least = ceil(round(255 * threshold, 6))  # rounded, since 255 * 0.2 must not become 51.000000001
    return probabilities[..., 0] <= 255 - least


def connected_patches(mask: Bool[np.ndarray, "height width"]) -> tuple[Int32[np.ndarray, "height width"], int]:
    """Patches joined by pixel edges, ids from 1 in the order of their first pixels, and how many there are."""
    count, patches = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    return patches, count - 1


def renumbered(
    nuclei: Int32[np.ndarray, "height width"], is_kept: Bool[np.ndarray, " ids"]
) -> Int32[np.ndarray, "height width"]:
    """The nuclei whose id is kept, ids from 1 without gaps in the order that they had; `is_kept` has a place for 0 too.

    >>> renumbered(np.array([[0, 1, 3, 5]], np.int32), np.array([0, 1, 0, 0, 0, 1], bool))
    array([[0, 1, 0, 2]], dtype=int32)
    """
    numbers = np.cumsum(is_kept[1:], dtype=np.int32) * is_kept[1:]
    return np.concatenate([np.zeros(1, np.int32), numbers])[nuclei]


def grow_markers(
    markers: Int32[np.ndarray, "height width"],
    landscape: Float32[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"],
) -> Int32[np.ndarray, "height width"]:
    """Nuclei that fill the mask, ids from 1 without gaps: from each marker, low places of the landscape first.

    Markers have ids above 0 and lie in the mask. What no marker reaches is a nucleus for each patch, after the others.
    Every tie is settled by what lies around it, so that a part of an image, cut with a margin, gives the same nuclei.
    Source: Vincent and Soille 1991 (watershed by flooding), as scikit-image does it.
    """
    ids = markers.ravel()[_downhill(markers, landscape, mask)].reshape(mask.shape)
    nuclei = np.where(mask, ids, 0).astype(np.int32)
    # Flooding is the slow part. All but a few pixels lie downhill of a marker, where flooding would give the same.
    above_no_marker = mask & (nuclei == 0)
    if above_no_marker.any():
        _flood(nuclei, landscape, above_no_marker)
        patches, _ = connected_patches(above_no_marker & (nuclei == 0))
        nuclei = np.where(patches > 0, patches + markers.max(initial=0), nuclei).astype(np.int32)
    is_there = np.zeros(int(nuclei.max(initial=0)) + 1, bool)
    is_there[nuclei.ravel()] = True
    return nuclei if is_there[1:].all() else renumbered(nuclei, is_there)


def _downhill(
    markers: Int32[np.ndarray, "height width"],
    landscape: Float32[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"],
) -> Int64[np.ndarray, " pixels"]:
    # Where a drop of water ends that always runs to the lowest of four neighbours, of equals the upper, left, right
    # one: at a marker, at a pixel without a lower neighbour, or outside the mask where it began.
    width = mask.shape[1]
    ground = np.pad(np.where(mask, landscape, np.float32(np.inf)), 1, constant_values=np.inf)
    above, left, right, below = ground[:-2, 1:-1], ground[1:-1, :-2], ground[1:-1, 2:], ground[2:, 1:-1]
    lowest = np.minimum(np.minimum(above, left), np.minimum(right, below))
    move = np.full(mask.shape, width, np.int32)
    for step, neighbour in ((1, right), (-1, left), (-width, above)):
        np.copyto(move, step, where=neighbour == lowest)
    move[(lowest >= ground[1:-1, 1:-1]) | (markers > 0)] = 0
    ends = np.arange(move.size) + move.ravel()
    runs = np.flatnonzero(move)
    reached = ends[runs]
    while len(runs):  # each round doubles the distance
        further = ends.take(reached)
        goes_on = further != reached
        runs, reached = runs[goes_on], further[goes_on]
        ends[runs] = reached
    return ends


def _flood(
    nuclei: Int32[np.ndarray, "height width"],
    landscape: Float32[np.ndarray, "height width"],
    unreached: Bool[np.ndarray, "height width"],
) -> None:
    # Fill, in place, what is unreached from the nuclei beside it.
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    around = cv2.dilate(unreached.view(np.uint8), cross).view(bool) & (unreached | (nuclei > 0))
    shores = np.flatnonzero(around & ~unreached)
    heights = landscape.astype(np.float64)
    # Of pixels of one height scikit-image takes the one that was seen first, but of the first ones any. So they are
    # told apart by their order, by less than two heights can differ.
    heights.flat[shores] += np.abs(np.spacing(landscape.flat[shores])) * (shores / (2 * landscape.size))
    flooded = watershed(heights, np.where(around, nuclei, 0), mask=around)
    nuclei[unreached] = flooded[unreached]
