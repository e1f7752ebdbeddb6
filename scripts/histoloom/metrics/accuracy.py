"""Pixel accuracy: the share of annotated pixels given their true class, whatever that class is."""

import numpy as np
from jaxtyping import Float64, Int


def accuracy(confusion: Int[np.ndarray, "images classes classes"]) -> Float64[np.ndarray, "images 1"]:
    """Share of the annotated pixels in [0, 1] that are given their true class; NaN where no pixel is annotated.

    confusion[i, t, p] is the number of annotated pixels of truth t predicted p in image i. Alone it says little:
    predicting background everywhere scores the share of the background.
    Source: Maier-Hein et al., Metrics reloaded, Nature Methods 2024.

    >>> accuracy(np.array([[[5, 1], [2, 4]]]))
    array([[0.75]])
    """
    right = np.trace(confusion, axis1=1, axis2=2)[:, None]
    annotated = confusion.sum(axis=(1, 2))[:, None]
    return np.where(annotated > 0, right / np.maximum(annotated, 1), np.nan)
