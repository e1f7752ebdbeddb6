"""Mean F1 over IoU thresholds: how many nuclei are found, however strictly one looks at their outlines."""

import numpy as np
from jaxtyping import Float64, Num

from histoloom.metrics._thresholds import THRESHOLDS, f1_at


def f1_range(thresholds: Num[np.ndarray, "images classes 12"]) -> Float64[np.ndarray, "images classes"]:
    """Mean F1 of nuclei over IoU .50, .55, ... .95, in [0, 1]; NaN where neither has a nucleus, 0 where only one has.

    At .50 the IoU must be exceeded, above it reached. thresholds[i, c] holds the numbers of true and predicted nuclei
    of class c in image i, then those of pairs at each threshold.
    Source: Caicedo et al., Nucleus segmentation across imaging experiments, Nature Methods 2019.

    >>> f1_range(np.array([[[8, 12, 8, 7, 7, 6, 6, 5, 4, 3, 1, 0], [0] * 12]]))
    array([[0.47,  nan]])
    """
    return np.mean([f1_at(thresholds, hundredths) for hundredths in THRESHOLDS], axis=0)
