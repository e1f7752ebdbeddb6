"""Count error: by how many nuclei the count of an image is off, whichever nuclei they are."""

import numpy as np
from jaxtyping import Float64, Num

LOWER_IS_BETTER = True
IS_A_RATIO = False  # of counts that were added up it would say how many images there are, so it is not pooled


def count_error(pairs: Num[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Absolute difference of the numbers of true and predicted nuclei, from 0 up; NaN where neither has a nucleus.

    Where only one side has nuclei it is their number. Nuclei too many somewhere make up for others missed: it says how
    good a count is, not how good the nuclei are.
    pairs[i, c] holds the true positives, false positives, false negatives and the sum of IoU of class c in image i.
    Source: Graham et al., CoNIC challenge, Medical Image Analysis 2024, whose second task is to count nuclei.

    >>> count_error(np.array([[[2.0, 1.0, 4.0, 1.5], [0.0, 0.0, 0.0, 0.0], [0.0, 5.0, 0.0, 0.0]]]))
    array([[ 3., nan,  5.]])
    """
    tp, fp, fn, _ = np.moveaxis(pairs.astype(np.float64), -1, 0)
    return np.where(tp + fp + fn > 0, np.abs(fp - fn), np.nan)
