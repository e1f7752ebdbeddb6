"""Class probabilities of an image as bytes on disk: 255 is probability 1."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from histoloom.errors import InputError


def quantised(probabilities: Float32[np.ndarray, "height width classes"]) -> UInt8[np.ndarray, "height width classes"]:
    """Probabilities in [0, 1] rounded to the nearest 255th; what follows is defined on these.

    >>> quantised(np.array([[[0.0, 0.5, 1.0]]], np.float32))
    array([[[  0, 128, 255]]], dtype=uint8)
    """
    return np.rint(probabilities * 255).astype(np.uint8)


def read_probabilities(path: Path, class_count: int) -> UInt8[np.ndarray, "height width classes"]:
    """Read the map of one image; InputError for a damaged file or another number of classes."""
    try:
        values = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path}: cannot be read as an array; expected one that predict wrote; run it again"
        ) from error
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != class_count:
        raise InputError(
            f"{path}: {values.dtype} of shape {values.shape}; expected uint8 (height, width, {class_count}), "
            "one channel for each class of the dataset; predict again"
        )
    return values
