"""Balanced accuracy: pixel accuracy in which every class counts alike, however few pixels it has."""

import numpy as np
from jaxtyping import Float64, Int


def balanced_accuracy(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images 1"]:
    """Mean recall in [0, 1] of the classes that truth has; NaN where no pixel is annotated.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i. One class predicted
    everywhere scores 1 / number of true classes.
    Source: Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010.

    >>> balanced_accuracy(np.array([[[5, 1], [2, 4]]]))  # (5/6 + 4/6) / 2
    array([[0.75]])
    """
    truth = confusion.sum(axis=2)
    recalls = np.diagonal(confusion, axis1=1, axis2=2) / np.maximum(truth, 1)
    classes = (truth > 0).sum(axis=1)
    return np.where(classes > 0, recalls.sum(axis=1) / np.maximum(classes, 1), np.nan)[:, None]
