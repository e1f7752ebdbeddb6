"""Dice: how far prediction and truth of a class overlap, relative to their mean area."""

import numpy as np
from jaxtyping import Float64, Int


def dice(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images classes"]:
    """Sørensen-Dice overlap in [0, 1]; NaN where the class is in neither truth nor prediction, 0 where in one only.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i.
    Source: Dice, Measures of the amount of ecologic association between species, Ecology 1945.

    >>> dice(np.array([[[5, 1], [2, 4]]])).round(3)
    array([[0.769, 0.727]])
    """
    both = np.diagonal(confusion, axis1=1, axis2=2)
    areas = confusion.sum(axis=1) + confusion.sum(axis=2)
    return np.where(areas > 0, 2 * both / np.maximum(areas, 1), np.nan)
