"""Class F1: how many nuclei of a class are found as that class, a wrong class weighing twice."""

import numpy as np
from jaxtyping import Float64, Num


def class_f1(centroids: Num[np.ndarray, "images classes 5"]) -> Float64[np.ndarray, "images classes"]:
    """F1 by centroid and class (HoVer-Net's weights) in [0, 1]; NaN where neither has a nucleus, 0 where only one has.

    2 tp / (2 tp + 2 fp_class + 2 fn_class + fp + fn). The source's formula also adds pairs that are rightly of other
    classes to both sides, their published code leaves them out, and so do we: with them a class would be praised for
    the others. For all nuclei as one class it is the detection F1.
    Pairs are as many as there can be within the radius; HoVer-Net's code makes fewer, so that its figures for the same
    prediction are lower, by 0.05 and more (see evaluate.counting.nuclei_centroids): do not set these beside those.
    centroids[i, c] holds tp, fp_class, fn_class, fp, fn: pairs of the right class, pairs of another true class, pairs
    predicted as another class, and nuclei without a partner, predicted and true.
    Source: Graham et al., HoVer-Net, Medical Image Analysis 2019, with its weights 2, 2, 1, 1.

    >>> class_f1(np.array([[[6, 1, 1, 2, 2], [0, 0, 0, 0, 0], [0, 0, 0, 0, 5]]]))
    array([[0.6, nan, 0. ]])
    """
    tp, fp_class, fn_class, fp, fn = np.moveaxis(centroids.astype(np.float64), -1, 0)
    weighed = 2 * (tp + fp_class + fn_class) + fp + fn
    return np.where(weighed > 0, 2 * tp / np.maximum(weighed, 1), np.nan)
