"""Aggregated Jaccard index, one to one: no prediction stands for two nuclei, none is punished twice."""

import numpy as np
from jaxtyping import Float64, Num


def aji_plus(aggregated: Num[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Aggregated Jaccard index, one to one (AJI+), in [0, 1]; NaN where neither has a nucleus, 0 where only one has.

    True and predicted nuclei are paired one to one by the greatest sum of IoU, however small each is; what is left
    alone is added to the union.
    aggregated[i, c] holds the pixels shared and united for AJI, then those for AJI+, of class c in image i.
    Source: Graham et al., HoVer-Net, Medical Image Analysis 2019, and their published code.

    >>> aji_plus(np.array([[[6, 10, 4, 10], [0, 0, 0, 0], [0, 9, 0, 9]]]))
    array([[0.4, nan, 0. ]])
    """
    shared, union = np.moveaxis(aggregated[..., 2:].astype(np.float64), -1, 0)
    return np.where(union > 0, shared / np.maximum(union, 1), np.nan)
