"""Average precision: how pure a class is found as the threshold on its probability falls."""

import numpy as np
from jaxtyping import Float64, Num

from histoloom.evaluate.counting.probability_histogram import sides


def auprc(probabilities: Num[np.ndarray, "images classes 512"]) -> Float64[np.ndarray, "images classes"]:
    """Area under the precision-recall curve (average precision) in [0, 1]; NaN where truth has none of the class.

    The precision at each threshold, weighted by the recall gained there, without interpolation. Chance scores the
    class's share of the pixels, so images differ by it.
    probabilities[i, c, b] is the number of annotated pixels of image i that are not of class c and have probability
    b / 255 of it; probabilities[i, c, 256 + b] that of pixels of the class.
    Source: Boyd et al., Area under the precision-recall curve, ECML PKDD 2013 (their average precision).

    >>> auprc(np.bincount([10, 20, 256 + 20, 256 + 30], minlength=512)[None, None]).round(3)  # (1/1 + 2/3) / 2
    array([[0.833]])
    """
    other, own = sides(probabilities)
    found, named = (np.cumsum(each[..., ::-1], axis=-1)[..., ::-1] for each in (own, other + own))
    weighted = (own * found / np.maximum(named, 1)).sum(axis=-1)
    truth = own.sum(axis=-1)
    return np.where(truth > 0, weighted / np.maximum(truth, 1), np.nan)
