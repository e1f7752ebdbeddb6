"""Detection F1: how many nuclei are found by where their centres are, however they are outlined."""

import numpy as np
from jaxtyping import Float64, Num


def detection_f1(centroids: Num[np.ndarray, "images classes 5"]) -> Float64[np.ndarray, "images classes"]:
    """F1 of nuclei paired by centroid in [0, 1]; NaN where truth and prediction have no nucleus, 0 where only one has.

    A nucleus found as another class is missed in its own class and extra in the other: 2 tp over the numbers of true
    and predicted nuclei of the class. For all nuclei as one class it is the detection quality of the source.
    Pairs are as many as there can be within the radius; HoVer-Net's code makes fewer, so that its figures for the same
    prediction are lower, by 0.05 and more (see evaluate.counting.nuclei_centroids): do not set these beside those.
    centroids[i, c] holds tp, fp_class, fn_class, fp, fn: pairs of the right class, pairs of another true class, pairs
    predicted as another class, and nuclei without a partner, predicted and true.
    Source: Graham et al., HoVer-Net, Medical Image Analysis 2019.

    >>> detection_f1(np.array([[[6, 1, 1, 2, 4], [0, 0, 0, 0, 0], [0, 0, 0, 0, 5]]]))
    array([[0.6, nan, 0. ]])
    """
    tp, *wrong = np.moveaxis(centroids.astype(np.float64), -1, 0)
    nuclei = 2 * tp + sum(wrong)
    return np.where(nuclei > 0, 2 * tp / np.maximum(nuclei, 1), np.nan)
