"""Signed distances to the edges of classes, which the boundary loss is made of."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8


def signed_distances(
    mask: UInt8[np.ndarray, "height width"], class_count: int
) -> Float32[np.ndarray, "classes height width"]:
    """Distance of each pixel to the edge of each class in pixels, negative inside.

    Outside it is the distance to the nearest pixel of the class, so 1 at its edge; inside it is minus the distance to
    the nearest other pixel, plus 1, so 0 at its edge. Where a class has no edge, because it is nowhere or everywhere,
    all is 0: it then has no part in the loss. What nobody annotated (255) is outside of every class, and beyond the
    tile nothing is known: its border is no edge.

    Source: Kervadec et al. 2019, Boundary loss for highly unbalanced segmentation.

    >>> signed_distances(np.array([[0, 1, 1, 1, 0]], np.uint8), 2)[1]
    array([[ 1.,  0., -1.,  0.,  1.]], dtype=float32)
    """
    distances = np.zeros((class_count, *mask.shape), np.float32)
    for index in range(class_count):
        inside = mask == index
        if inside.any() and not inside.all():
            distances[index] = _distance_to_zero(~inside) - np.maximum(_distance_to_zero(inside) - 1, 0)
    return distances


def _distance_to_zero(pixels: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform(pixels.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
