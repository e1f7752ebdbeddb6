"""Precision: how much of what was predicted to be a class is of that class."""

import numpy as np
from jaxtyping import Float64, Int


def precision(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images classes"]:
    """Share of the predicted pixels in [0, 1] that are right; NaN where the class is in neither, 0 where in one only.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i. A class that is in truth
    but never predicted scores 0, not NaN: so a model that misses it is not excused, and all pixel metrics of an image
    count for the same classes.
    Source: van Rijsbergen, Information retrieval, 1979.

    >>> precision(np.array([[[5, 1], [2, 4]]])).round(3)
    array([[0.714, 0.8  ]])
    """
    both = np.diagonal(confusion, axis1=1, axis2=2)
    truth, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    return np.where(truth + predicted > 0, both / np.maximum(predicted, 1), np.nan)
