"""Normalised surface distance: how much of the boundary is right but for a tolerance."""

import numpy as np
from jaxtyping import Float, Float64


def nsd(boundary: Float[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Share in [0, 1] of both masks' boundary pixels near to the other's boundary; NaN where the class is in neither.

    Near is within the tolerance that the config states (boundary_tolerance_um), the limit itself too. A class in truth
    or prediction only scores 0. boundary[i, c] holds boundary pixels, those near, the sum of their distances, and
    whether the class is there; see evaluate.counting.boundary for what a boundary is.
    Source: Nikolov et al., Clinically applicable segmentation of head and neck anatomy, J Med Internet Res 2021
    (surface Dice), counting boundary pixels instead of lengths of the contour.

    >>> nsd(np.array([[[4.0, 3, 6, 1], [0, 0, 0, 0]]]))
    array([[0.75,  nan]])
    """
    points, near, _, _ = np.moveaxis(boundary.astype(np.float64), -1, 0)
    return np.where(points > 0, near / np.maximum(points, 1), np.nan)
