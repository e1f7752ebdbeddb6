"""R2 of masks: how much of the spread of a class's true mask the predicted mask explains, as in studies of necrosis."""

import numpy as np
from jaxtyping import Float64, Int


def r2(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images classes"]:
    """R2 of masks, 1 - wrong pixels / (N p (1 - p)), in (-inf, 1]; NaN where truth has nothing but the class, or none.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i; each class is taken against
    all others, N is the number of annotated pixels and p the class's share of them. Below 0 as soon as the share of
    wrong pixels is above p (1 - p), 0.25 at most. It is the Brier skill score of a mask's zeros and ones.
    Source: Kvålseth, Cautionary note about R2, The American Statistician 1985 (its first definition), of masks.

    >>> r2(np.array([[[5, 1], [2, 4]]]))  # 1 - 3 / (12 * 1/2 * 1/2)
    array([[0., 0.]])
    """
    counts = confusion.astype(np.float64)  # products of pooled counts do not fit in 64 bit
    truth = counts.sum(axis=2)
    wrong = truth + counts.sum(axis=1) - 2 * np.diagonal(counts, axis1=1, axis2=2)
    annotated = truth.sum(axis=1, keepdims=True)
    spread = truth * (annotated - truth)
    return np.where(spread > 0, 1 - wrong * annotated / np.where(spread > 0, spread, 1), np.nan)
