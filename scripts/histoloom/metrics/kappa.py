"""Cohen's kappa: agreement of truth and prediction beyond what their shares of classes would give by chance."""

import numpy as np
from jaxtyping import Float64, Int


def kappa(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images 1"]:
    """Cohen's kappa (unweighted) in [-1, 1]; NaN where truth and prediction are the same single class.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i. 0 where the agreement is
    what chance gives, so always where one of the two is a single class and the other is not it alone; NaN also where
    no pixel is annotated.
    Source: Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 1960.

    >>> kappa(np.array([[[5, 1], [2, 4]]]))  # agreement 9/12, by chance 6/12
    array([[0.5]])
    """
    counts = confusion.astype(np.float64)  # products of pooled counts do not fit in 64 bit
    annotated = counts.sum(axis=(1, 2))
    by_chance = (counts.sum(axis=2) * counts.sum(axis=1)).sum(axis=1)
    beyond = np.trace(counts, axis1=1, axis2=2) * annotated - by_chance
    possible = annotated**2 - by_chance
    return np.where(possible > 0, beyond / np.where(possible > 0, possible, 1), np.nan)[:, None]
