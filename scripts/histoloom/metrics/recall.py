"""Recall: how much of a class was found."""

import numpy as np
from jaxtyping import Float64, Int


def recall(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images classes"]:
    """Share of the true pixels in [0, 1] that are found; NaN where the class is in neither, 0 where in one only.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i. A class that is predicted
    but not in truth scores 0, not NaN, so all pixel metrics of an image count for the same classes.
    Source: van Rijsbergen, Information retrieval, 1979.

    >>> recall(np.array([[[5, 1], [2, 4]]])).round(3)
    array([[0.833, 0.667]])
    """
    both = np.diagonal(confusion, axis1=1, axis2=2)
    truth, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    return np.where(truth + predicted > 0, both / np.maximum(truth, 1), np.nan)
