"""What networks predict of an image as bytes on disk: class probabilities (255 is 1) and instance maps (127 is 1)."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int8, UInt8

from histoloom.errors import InputError


def quantised(probabilities: Float32[np.ndarray, "height width classes"]) -> UInt8[np.ndarray, "height width classes"]:
    """Probabilities in [0, 1] rounded to the nearest 255th; what follows is defined on these.

    >>> quantised(np.array([[[0.0, 0.5, 1.0]]], np.float32))
    array([[[  0, 128, 255]]], dtype=uint8)
    """
    return np.rint(probabilities * 255).astype(np.uint8)


def quantised_maps(maps: Float32[np.ndarray, "height width 2"]) -> Int8[np.ndarray, "height width 2"]:
    """Horizontal and vertical instance maps, cut off at -1 and 1 and rounded to the nearest 127th.

    >>> quantised_maps(np.array([[[-1.5, 0.1]]], np.float32))
    array([[[-127,   13]]], dtype=int8)
    """
    return np.rint(maps.clip(-1, 1) * 127).astype(np.int8)


def read_probabilities(path: Path, class_count: int) -> UInt8[np.ndarray, "height width classes"]:
    """Read the map of one image; InputError for a damaged file or another number of classes."""
    values = _read(path)
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != class_count:
        raise InputError(
            f"{path}: {values.dtype} of shape {values.shape}; expected uint8 (height, width, {class_count}), "
            "one channel for each class of the dataset; predict again"
        )
    return values


def read_maps(folder: Path, name: str) -> Int8[np.ndarray, "height width 2"] | None:
    """Read the instance maps of an image; None where the folder has no file of it, for its network gives no maps.

    Raises InputError for a damaged file, and for one that holds something else.
    """
    path = folder / f"{name}.npy"
    if not path.exists():
        return None
    values = _read(path)
    if values.dtype != np.int8 or values.ndim != 3 or values.shape[2] != 2:
        raise InputError(
            f"{path}: {values.dtype} of shape {values.shape}; expected int8 (height, width, 2), the horizontal and the "
            "vertical instance map; predict again"
        )
    return values


def _read(path: Path) -> np.ndarray:
    try:
        return np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path}: cannot be read as an array; expected one that predict wrote; run it again"
        ) from error
