"""Object Dice: how well nuclei are outlined, each weighing by its area, seen from truth and from prediction."""

import numpy as np
from jaxtyping import Float64, Num


def object_dice(object_overlap: Num[np.ndarray, "images classes 4"]) -> Float64[np.ndarray, "images classes"]:
    """Object Dice, weighted by area, in [0, 1]; NaN where truth and prediction have no nucleus, 0 where only one has.

    The mean of two: the Dice of each true nucleus with the predicted one that overlaps it most, weighted by area, and
    the same with truth and prediction exchanged.
    object_overlap[i, c] holds the sum over true nuclei of area x Dice, their area, and both for predicted nuclei.
    Source: Sirinukunwattana et al., Gland segmentation in colon histology images, Medical Image Analysis 2017.

    >>> object_dice(np.array([[[6.0, 10.0, 2.0, 4.0], [0.0, 0.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0]]]))
    array([[0.55,  nan, 0.  ]])
    """
    truth_dice, truth_area, predicted_dice, predicted_area = np.moveaxis(object_overlap.astype(np.float64), -1, 0)
    # Without area there is no Dice either: such a side adds 0.
    truth_side, predicted_side = truth_dice / np.maximum(truth_area, 1), predicted_dice / np.maximum(predicted_area, 1)
    return np.where(truth_area + predicted_area > 0, (truth_side + predicted_side) / 2, np.nan)
