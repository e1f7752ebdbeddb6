"""Detection quality: how many nuclei are found, however they are outlined."""

import numpy as np
from jaxtyping import Float, Float64


def dq(pairs: Float[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Detection quality (F1 at IoU > 0.5) in [0, 1]; NaN where truth and prediction have no nucleus, 0 where one has.

    pairs[i, c] holds the true positives, false positives, false negatives and the sum of IoU of class c in image i.
    Source: Kirillov et al., Panoptic segmentation, CVPR 2019, where it is called recognition quality.

    >>> dq(np.array([[[2.0, 1.0, 1.0, 1.5], [0.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0]]])).round(3)
    array([[0.667,   nan, 0.   ]])
    """
    tp, fp, fn, _ = np.moveaxis(pairs.astype(np.float64), -1, 0)
    nuclei = tp + fp / 2 + fn / 2
    return np.where(nuclei > 0, tp / np.maximum(nuclei, 0.5), np.nan)
