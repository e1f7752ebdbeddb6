"""How far the predicted boundary of each class lies from the true one: the facts behind all boundary metrics."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy.spatial import cKDTree

from histoloom.sample import IGNORE

PERCENTILE = 95
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))  # a pixel and its four neighbours
ROUNDING = 1e-9  # relative: 3 px of 0.1 µm are 0.30000000000000004 µm, and within 0.3 µm all the same


def surface_counts(
    truth: UInt8[np.ndarray, "height width"],
    predicted: UInt8[np.ndarray, "height width"],
    n_classes: int,
    spacing: float,
    tolerance: float,
) -> tuple[Float64[np.ndarray, "{n_classes} 4"], Float64[np.ndarray, "{n_classes} 1"]]:
    """Count boundary pixels, those near to the other boundary, and their distances; and the Hausdorff distance (95 %).

    Row 0 takes all classes but background as one, row c class c. The first array holds: pixels on the boundary in
    truth and in prediction together; how many of them lie within `tolerance` of the other boundary (the limit itself
    is within); the sum of their distances to it; and 1 where the class is there at all. The second holds the larger of
    the two directed 95th percentiles of those distances, interpolated linearly.

    `spacing` is the length of a pixel's side; `tolerance` and distances are in its unit, from centre to centre. A
    pixel of a class is on its boundary where one of its four neighbours is not of the class; beyond the image's border
    nothing is. Pixels whose truth is 255 belong to no class, so a region that they cut off ends there in both masks.
    A class in one mask only has all its pixels at the length of the image's diagonal, none of them near, and that
    diagonal as Hausdorff distance; a class in neither has zeros, and NaN. Classes are as confusion_matrix checks them.

    Source: Nikolov et al., Clinically applicable segmentation of head and neck anatomy, J Med Internet Res 2021;
    Huttenlocher et al., Comparing images using the Hausdorff distance, IEEE TPAMI 1993.

    >>> truth, predicted = np.array([[0, 1, 0, 0, 0]], np.uint8), np.array([[0, 0, 0, 1, 1]], np.uint8)
    >>> surface_counts(truth, predicted, 2, spacing=0.5, tolerance=1.0)[0][1]  # distances 1, 1 and 1.5
    array([3. , 2. , 3.5, 1. ])
    """
    annotated = truth != IGNORE
    true_classes, predicted_classes = np.where(annotated, truth, 0), np.where(annotated, predicted, 0)
    diagonal = math.hypot(*truth.shape)
    rows = [
        _row(true_mask, predicted_mask, diagonal, spacing, tolerance)
        for true_mask, predicted_mask in _masks(true_classes, predicted_classes, n_classes)
    ]
    rows = rows * n_classes if n_classes == 2 else rows  # one class is all there is
    return np.array([boundary for boundary, _ in rows], np.float64), np.array([[each] for _, each in rows], np.float64)


def _masks(
    truth: UInt8[np.ndarray, "height width"], predicted: UInt8[np.ndarray, "height width"], n_classes: int
) -> Iterator[tuple[Bool[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]]:
    yield truth > 0, predicted > 0
    if n_classes > 2:
        yield from ((truth == index, predicted == index) for index in range(1, n_classes))


def _row(
    truth: Bool[np.ndarray, "height width"],
    predicted: Bool[np.ndarray, "height width"],
    diagonal_px: float,
    spacing: float,
    tolerance: float,
) -> tuple[tuple[float, float, float, float], float]:
    edges = _boundary(truth), _boundary(predicted)
    points = sum(int(edge.sum()) for edge in edges)
    if not points:
        return (0.0, 0.0, 0.0, 0.0), np.nan
    if not all(edge.any() for edge in edges):
        return (float(points), 0.0, points * diagonal_px * spacing, 1.0), diagonal_px * spacing
    directed = [_distances_px(*edges) * spacing, _distances_px(*edges[::-1]) * spacing]
    distances = np.concatenate(directed)
    near = (distances <= tolerance * (1 + ROUNDING)).sum()
    hausdorff = max(float(np.percentile(each, PERCENTILE)) for each in directed)
    return (float(points), float(near), float(distances.sum()), 1.0), hausdorff


def _boundary(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    inside = cv2.erode(mask.astype(np.uint8), CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask & (inside == 0)


def _distances_px(
    edge: Bool[np.ndarray, "height width"], other: Bool[np.ndarray, "height width"]
) -> Float64[np.ndarray, " points"]:
    """Distance of each pixel of one boundary to the nearest of the other, in no order; both have some.

    A tree of points is exact at any size of image, in double precision, and does not visit the pixels in between;
    most pixels of a good prediction lie on both boundaries and are not looked up at all.
    """
    shared = np.zeros(int((edge & other).sum()))
    tree = cKDTree(np.argwhere(other).astype(np.float64), compact_nodes=False, balanced_tree=False)
    return np.concatenate([shared, tree.query(np.argwhere(edge & ~other).astype(np.float64))[0]])
