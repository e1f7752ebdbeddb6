"""Discs whose nuclei are known by geometry, as masks and as probabilities that are certain."""

import numpy as np
from skimage.draw import disk

from histoloom.postprocessors.watershed import watershed


def discs(shape, centres, radius):
    mask = np.zeros(shape, bool)
    for centre in centres:
        mask[disk(centre, radius, shape=shape)] = True
    return mask


def as_probabilities(classes, count):
    """Probability 1 of the class at each pixel."""
    return np.where(classes[..., None] == np.arange(count), 255, 0).astype(np.uint8)


def split(mask, min_distance_px=6):
    """The watershed on certain probabilities."""
    return watershed(as_probabilities(mask.astype(int), 2), None, min_distance_px=min_distance_px)
