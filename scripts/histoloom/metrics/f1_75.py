"""F1 at IoU 0.75: how many nuclei are found and outlined well."""

import numpy as np
from jaxtyping import Float64, Num

from histoloom.metrics._thresholds import f1_at


def f1_75(thresholds: Num[np.ndarray, "images classes 12"]) -> Float64[np.ndarray, "images classes"]:
    """F1 of nuclei at IoU >= 0.75 in [0, 1]; NaN where truth and prediction have no nucleus, 0 where only one has.

    thresholds[i, c] holds the numbers of true and predicted nuclei of class c in image i, then those of pairs at each
    IoU from .50 to .95 in steps of .05.
    Source: Caicedo et al., Nucleus segmentation across imaging experiments, Nature Methods 2019.

    >>> f1_75(np.array([[[8, 12, 8, 7, 7, 6, 6, 5, 4, 3, 1, 0], [0] * 12]]))
    array([[0.5, nan]])
    """
    return f1_at(thresholds, 75)
