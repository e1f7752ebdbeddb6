"""Roy's modification of Reinhard's normalisation: hue becomes the reference's, light and dark stay the image's own."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from histoloom.colour.lab import changed_in_lab, lab_moments, typical_moments
from histoloom.colour.normaliser import Normaliser, Recolouring

LEAST_GAIN = 0.05  # of contrast, where the reference has no more than the image


def reinhard_modified(reference: Sequence[UInt8[np.ndarray, "_ 3"]]) -> Normaliser:
    """Give the normalisation to the hues of reference images: from an image's tissue pixels to what is done to it.

    In CIELAB a and b are shifted to the reference's means and never stretched, so noise does not grow. The lightness
    keeps its mean; its contrast grows by q = 1 - (sd of the image) / (sd of the reference), or by 0.05 where q is not
    positive. So it changes an image even against itself. Background stays as it is: see lab.changed_in_lab.
    `reference` holds the tissue pixels of each reference image; medians over the images are taken.
    Raises EstimateFailed, here for the reference and for the tissue of an image.
    Source: Roy et al., Modified Reinhard algorithm for color normalization of colorectal cancer histopathology images,
    EUSIPCO 2021; in torchstain ReinhardNormalizer(method="modified").
    """
    target = typical_moments(reference)

    def fit(tissue: UInt8[np.ndarray, "_ 3"]) -> Recolouring:
        source = lab_moments(tissue)
        gain = 1 - source.sds[0] / target.sds[0]
        scales = np.array([1 + (gain if gain > 0 else LEAST_GAIN), 1, 1])
        means = np.array([source.means[0], *target.means[1:]])
        return lambda image: changed_in_lab(image, scales, means - source.means * scales)

    return fit
