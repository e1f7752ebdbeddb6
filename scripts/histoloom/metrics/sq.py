"""Segmentation quality: how well the found nuclei are outlined, however many were missed."""

import numpy as np
from jaxtyping import Float, Float64


def sq(pairs: Float[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Segmentation quality (mean IoU of the pairs with IoU > 0.5), in (0.5, 1]; NaN where no nucleus is paired.

    pairs[i, c] holds the true positives, false positives, false negatives and the sum of IoU of class c in image i.
    Source: Kirillov et al., Panoptic segmentation, CVPR 2019.

    >>> sq(np.array([[[2.0, 1.0, 1.0, 1.5], [0.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0]]]))
    array([[0.75,  nan,  nan]])
    """
    tp, _, _, iou_sum = np.moveaxis(pairs.astype(np.float64), -1, 0)
    return np.where(tp > 0, iou_sum / np.maximum(tp, 1), np.nan)
