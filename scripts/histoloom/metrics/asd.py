"""Average surface distance: how far off the boundary is on average, both ways."""

import numpy as np
from jaxtyping import Float, Float64

LOWER_IS_BETTER = True


def asd(boundary: Float[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Mean distance of the boundary pixels of both masks to the other's boundary; NaN where the class is in neither.

    In micrometres where every image states its resolution, else in pixels. A class in truth or prediction only has the
    length of the image's diagonal. boundary[i, c] holds boundary pixels, those near, the sum of their distances, and
    whether the class is there; see evaluate.counting.boundary for what a boundary is.
    Source: Heimann et al., Comparison and evaluation of methods for liver segmentation, IEEE TMI 2009 (average
    symmetric surface distance).

    >>> asd(np.array([[[4.0, 3, 6, 1], [0, 0, 0, 0]]]))
    array([[1.5, nan]])
    """
    points, _, distance, _ = np.moveaxis(boundary.astype(np.float64), -1, 0)
    return np.where(points > 0, distance / np.maximum(points, 1), np.nan)
