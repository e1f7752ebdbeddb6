"""Hausdorff distance (95 %): how far off the boundary is where it is nearly worst."""

import numpy as np
from jaxtyping import Float, Float64

LOWER_IS_BETTER = True


def hd95(hausdorff: Float[np.ndarray, "images classes 1"]) -> Float64[np.ndarray, "images classes"]:
    """95th percentile of the distances between boundaries, the larger direction; NaN where the class is in neither.

    In micrometres where every image states its resolution, else in pixels. A class in truth or prediction only has the
    length of the image's diagonal: as far off as can be. It does not add up over images.
    hausdorff[i, c] is the distance of class c in image i; see evaluate.counting.boundary for what a boundary is.
    Source: Huttenlocher et al., Comparing images using the Hausdorff distance, IEEE TPAMI 1993.

    >>> hd95(np.array([[[2.5], [np.nan]]]))
    array([[2.5, nan]])
    """
    return hausdorff[..., 0].astype(np.float64)
