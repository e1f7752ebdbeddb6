"""Colours of a slide's classes, the same in every file that is made of it: QuPath's own where it knows the class."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from histoloom.report.overlays import class_colours

# The classes that a new project of QuPath has; a class of the same name keeps its colour there.
QUPATH = {
    "tumor": (200, 0, 0),
    "tumour": (200, 0, 0),
    "stroma": (150, 200, 150),
    "immune cells": (160, 90, 160),
    "necrosis": (50, 50, 50),
    "other": (255, 200, 0),
}


def colours_of(classes: Sequence[str]) -> UInt8[np.ndarray, "{len(classes)} 3"]:
    """RGB of each class, background first: QuPath's default for its names, in capitals or not, else the report's.

    Raises InputError for more classes than the report has colours for.

    >>> colours_of(["background", "Tumor", "gland"]).tolist()
    [[0, 0, 0], [200, 0, 0], [240, 228, 66]]
    """
    colours = class_colours(len(classes)).copy()
    for index, name in enumerate(classes[1:], start=1):
        colours[index] = QUPATH.get(name.strip().lower(), colours[index])
    return colours
