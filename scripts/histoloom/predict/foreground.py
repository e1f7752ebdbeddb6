"""What is foreground, into which patches it falls, and how a patch is divided among the markers in it."""

from math import ceil

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8
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

    Markers have ids above 0, each within one patch of the mask. A patch with one marker or none is one nucleus.
    Source: Vincent and Soille 1991 (watershed by flooding), as scikit-image does it.
    """
    patches, patch_count = connected_patches(mask)
    marker_count, marked = int(markers.max(initial=0)), markers > 0
    patch_of_marker = np.zeros(marker_count + 1, np.int32)
    patch_of_marker[markers[marked]] = patches[marked]
    # Only patches with several markers are flooded: most have one, and flooding is the slow part.
    crowded = (np.bincount(patch_of_marker[1:], minlength=patch_count + 1) > 1)[patches] & mask
    nuclei = np.where(mask, patches + marker_count, 0).astype(np.int32)
    if crowded.any():
        flooded = watershed(landscape, np.where(crowded, markers, 0), mask=crowded)
        nuclei[crowded] = flooded[crowded]
    return renumbered(nuclei, np.bincount(nuclei.ravel()) > 0)
