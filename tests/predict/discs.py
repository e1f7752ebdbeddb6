"""Discs whose nuclei are known by geometry and patches of all shapes, as masks and as certain probabilities."""

import numpy as np
from scipy import ndimage
from skimage.draw import disk

from histoloom.postprocessors.watershed import watershed


def discs(shape, centres, radius):
    mask = np.zeros(shape, bool)
    for centre in centres:
        mask[disk(centre, radius, shape=shape)] = True
    return mask


def noise_patches(seed, share):
    """Patches of all shapes that take that share of 40 x 50 pixels."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((40, 50)), 1)
    return noise < np.quantile(noise, share)


def as_probabilities(classes, count):
    """Probability 1 of the class at each pixel."""
    return np.where(classes[..., None] == np.arange(count), 255, 0).astype(np.uint8)


def split(mask, min_distance_px=6):
    """The watershed on certain probabilities."""
    return watershed(as_probabilities(mask.astype(int), 2), None, min_distance_px=min_distance_px)
