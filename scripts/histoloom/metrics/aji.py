"""Aggregated Jaccard index: the area that nuclei share with their predictions, of all area that either covers."""

import numpy as np
from jaxtyping import Float64, Num


def aji(aggregated: Num[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Aggregated Jaccard index in [0, 1]; NaN where truth and prediction have no nucleus, 0 where only one has.

    Each true nucleus takes the predicted one of the highest IoU, which several may take; what nothing takes is added to
    the union. A large nucleus weighs more than a small one, and one missed nucleus can cost several found ones.
    aggregated[i, c] holds the pixels shared and united for AJI, then those for AJI+, of class c in image i.
    Source: Kumar et al., A dataset and a technique for generalized nuclear segmentation, IEEE TMI 2017.

    >>> aji(np.array([[[6, 10, 4, 10], [0, 0, 0, 0], [0, 9, 0, 9]]]))
    array([[0.6, nan, 0. ]])
    """
    shared, union = np.moveaxis(aggregated[..., :2].astype(np.float64), -1, 0)
    return np.where(union > 0, shared / np.maximum(union, 1), np.nan)
