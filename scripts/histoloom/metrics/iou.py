"""Intersection over union: the share of a class's pixels, true or predicted, that are both."""

import numpy as np
from jaxtyping import Float64, Int


def iou(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images classes"]:
    """Intersection over union in [0, 1]; NaN where the class is in neither truth nor prediction, 0 where in one only.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i.
    Source: Jaccard, The distribution of the flora in the alpine zone, New Phytologist 1912.

    >>> iou(np.array([[[5, 1], [2, 4]]])).round(3)
    array([[0.625, 0.571]])
    """
    both = np.diagonal(confusion, axis1=1, axis2=2)
    either = confusion.sum(axis=1) + confusion.sum(axis=2) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)
