"""The baseline that finds nothing: every pixel is background. It shows how far prevalence alone carries a score."""

import numpy as np
from jaxtyping import Float32, UInt8


def all_background(
    image: UInt8[np.ndarray, "height width 3"], n_classes: int
) -> Float32[np.ndarray, "height width n_classes"]:
    """Probability 1 of the background everywhere."""
    probabilities = np.zeros((*image.shape[:2], n_classes), np.float32)
    probabilities[..., 0] = 1
    return probabilities
