"""F-beta with beta = 2: overlap in which missing a class costs more than predicting too much of it."""

import numpy as np
from jaxtyping import Float64, Int

BETA = 2


def f_beta(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images classes"]:
    """F-beta in [0, 1] with beta = 2, recall four times the weight of precision; NaN where the class is in neither.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i. 0 where the class is in
    truth or prediction only. With beta = 1 it would be Dice.
    Source: van Rijsbergen, Information retrieval, 1979.

    >>> f_beta(np.array([[[5, 1], [2, 4]]])).round(3)  # 25 / (25 + 4 * 1 + 2) and 20 / (20 + 4 * 2 + 1)
    array([[0.806, 0.69 ]])
    """
    both = np.diagonal(confusion, axis1=1, axis2=2)
    weighted = BETA**2 * confusion.sum(axis=2) + confusion.sum(axis=1)
    return np.where(weighted > 0, (1 + BETA**2) * both / np.maximum(weighted, 1), np.nan)
