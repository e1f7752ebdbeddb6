"""Split rate: how many nuclei were cut into pieces."""

import numpy as np
from jaxtyping import Float64, Num

LOWER_IS_BETTER = True


def split_rate(errors: Num[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Share of the true nuclei in [0, 1] that are split into several; NaN where truth has no nucleus.

    A nucleus is split where two or more predicted nuclei lie in it with more than half of their area each. What is not
    found at all is not split: where nothing is predicted the rate is 0, so read it beside a score of detection.
    errors[i, c] holds the numbers of true, predicted, merged and split nuclei of class c in image i.
    Source: Caicedo et al., Evaluation of deep learning strategies for nucleus segmentation, Cytometry A 2019, who
    count merges and splits; the rule of half of the area is ours.

    >>> split_rate(np.array([[[10, 7, 4, 4], [0, 3, 0, 0], [5, 0, 0, 0]]]))
    array([[0.4, nan, 0. ]])
    """
    truths = errors[..., 0].astype(np.float64)
    return np.where(truths > 0, errors[..., 3] / np.maximum(truths, 1), np.nan)
