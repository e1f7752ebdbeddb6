"""Reinhard's normalisation: mean and spread of tissue colours in CIELAB become the reference's."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from histoloom.colour.lab import changed_in_lab, lab_moments, typical_moments
from histoloom.colour.normaliser import Normaliser, Recolouring


def reinhard(reference: Sequence[UInt8[np.ndarray, "_ 3"]]) -> Normaliser:
    """Give the normalisation to the colours of reference images: from an image's tissue pixels to what is done to it.

    Statistics are those of tissue pixels. Background stays as it is: lab.changed_in_lab lets tissue fade into it. In
    CIELAB, as in the libraries for histology, where the paper has l-alpha-beta.
    `reference` holds the tissue pixels of each reference image; medians over the images are taken.
    Raises EstimateFailed, here for the reference and for the tissue of an image.
    Source: Reinhard et al., Color transfer between images, IEEE Computer Graphics and Applications 2001.
    """
    target = typical_moments(reference)

    def fit(tissue: UInt8[np.ndarray, "_ 3"]) -> Recolouring:
        source = lab_moments(tissue)
        scales = target.sds / source.sds
        return lambda image: changed_in_lab(image, scales, target.means - source.means * scales)

    return fit
