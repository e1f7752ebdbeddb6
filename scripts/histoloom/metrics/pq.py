"""Panoptic quality: how many nuclei are found, and how well the found ones are outlined, in one number."""

import numpy as np
from jaxtyping import Float, Float64


def pq(pairs: Float[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Panoptic quality (pairs of IoU > 0.5) in [0, 1]; NaN where truth and prediction have no nucleus, 0 where one has.

    pairs[i, c] holds the true positives, false positives, false negatives and the sum of IoU of class c in image i.
    PQ = DQ * SQ; a class without any pair has DQ 0 and no SQ, and its PQ is 0.
    Source: Kirillov et al., Panoptic segmentation, CVPR 2019.

    >>> pq(np.array([[[2.0, 1.0, 1.0, 1.5], [0.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0]]]))
    array([[0.5, nan, 0. ]])
    """
    tp, fp, fn, iou_sum = np.moveaxis(pairs.astype(np.float64), -1, 0)
    nuclei = tp + fp / 2 + fn / 2
    return np.where(nuclei > 0, iou_sum / np.maximum(nuclei, 0.5), np.nan)
