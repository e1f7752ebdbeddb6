"""Specificity: how much of what is not of a class was left to the others."""

import numpy as np
from jaxtyping import Float64, Int


def specificity(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images classes"]:
    """Share of the pixels of other classes in [0, 1] not predicted as the class; NaN where it is in neither, or all.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i. Undefined, too, where truth
    has no other class. An image that has nothing of the class in truth or prediction is left out as in all pixel
    metrics: it would score 1. A rare class scores near to 1 whatever is predicted: read it beside the recall.
    Source: Yerushalmy, Statistical problems in assessing methods of medical diagnosis, Public Health Reports 1947.

    >>> specificity(np.array([[[5, 1], [2, 4]]])).round(3)
    array([[0.667, 0.833]])
    """
    both = np.diagonal(confusion, axis1=1, axis2=2)
    truth, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    others = truth.sum(axis=1, keepdims=True) - truth
    is_defined = (truth + predicted > 0) & (others > 0)
    return np.where(is_defined, 1 - (predicted - both) / np.maximum(others, 1), np.nan)
