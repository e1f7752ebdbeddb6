"""Reinhard's normalisation: mean and spread of tissue colours in CIELAB become the reference's."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from histoloom.colour.lab import changed_in_lab, lab_moments, typical_moments


def reinhard(reference: Sequence[UInt8[np.ndarray, "_ 3"]]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Give the normalisation of (image, tissue mask) to the colours of reference images; it returns the new image.

    Statistics are those of tissue pixels. Background stays as it is: lab.changed_in_lab lets tissue fade into it. In
    CIELAB, as in the libraries for histology, where the paper has l-alpha-beta.
    `reference` holds the tissue pixels of each reference image; medians over the images are taken.
    Raises EstimateFailed, here for the reference and when called for the image.
    Source: Reinhard et al., Color transfer between images, IEEE Computer Graphics and Applications 2001.
    """
    target = typical_moments(reference)

    def normalise(
        image: UInt8[np.ndarray, "height width 3"], tissue: Bool[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        source = lab_moments(image[tissue])
        scales = target.sds / source.sds
        return changed_in_lab(image, scales, target.means - source.means * scales)

    return normalise
