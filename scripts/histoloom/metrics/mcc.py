"""Matthews correlation of all classes at once: agreement of truth and prediction that guessing does not give."""

import numpy as np
from jaxtyping import Float64, Int


def mcc(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images 1"]:
    """Matthews correlation (multi-class R_K) in [-1, 1]; NaN where truth and prediction are the same single class.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i. 0 where either is a single
    class and the other is not it alone, as for guessing; NaN also where no pixel is annotated.
    Source: Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, Computational
    Biology and Chemistry 2004; Matthews 1975 for two classes.

    >>> mcc(np.array([[[5, 1], [2, 4]]])).round(3)  # (5 * 4 - 1 * 2) / sqrt(7 * 5 * 6 * 6)
    array([[0.507]])
    """
    counts = confusion.astype(np.float64)  # products of pooled counts do not fit in 64 bit
    truth, predicted, right = counts.sum(axis=2), counts.sum(axis=1), np.trace(counts, axis1=1, axis2=2)
    annotated = counts.sum(axis=(1, 2))
    covariance = right * annotated - (truth * predicted).sum(axis=1)
    variances = [annotated**2 - (side**2).sum(axis=1) for side in (truth, predicted)]
    scale = np.sqrt(variances[0] * variances[1])
    scores = covariance / np.where(scale > 0, scale, 1)  # a single class has no covariance either
    is_one_class = np.diagonal(counts, axis1=1, axis2=2).max(axis=1) == annotated
    return np.where(is_one_class, np.nan, scores)[:, None]
