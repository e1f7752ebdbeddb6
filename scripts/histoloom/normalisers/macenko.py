"""Macenko's normalisation: the amounts of haematoxylin and eosin stay, their colours become the reference's."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from histoloom.colour.normaliser import Normaliser, Recolouring
from histoloom.colour.stain import Stains, estimate_stains, from_optical_density, optical_density, typical_stains


def macenko(reference: Sequence[UInt8[np.ndarray, "_ 3"]]) -> Normaliser:
    """Give the normalisation to the stains of reference images: from an image's tissue pixels to what is done to it.

    Both pairs of stains are estimated on tissue pixels alone, by stain.estimate_stains, which says why not by a
    library: those estimate on all that they map, and a tile that is half glass would get other colours than its
    neighbour. Every pixel is mapped the same way, background too: glass holds no stain, so it stays glass, and tissue
    has no seam. What neither stain explains is dropped, as in the paper: black ink turns violet.
    `reference` holds the tissue pixels of each reference image; medians over the images are taken.
    Raises EstimateFailed, here for the reference and for the tissue of an image.
    Source: Macenko et al., A method for normalizing histology slides for quantitative analysis, ISBI 2009.
    """
    target = typical_stains(reference)

    def fit(tissue: UInt8[np.ndarray, "_ 3"]) -> Recolouring:
        change = _change(estimate_stains(tissue), target).astype(np.float32)
        return lambda image: from_optical_density(optical_density(image) @ change)

    return fit


def _change(source: Stains, target: Stains) -> np.ndarray:
    # Unmix by least squares, scale the amounts, mix anew: three linear steps, hence one 3 x 3 matrix.
    scales = np.diag(target.strengths / source.strengths)
    return np.linalg.pinv(source.vectors) @ scales @ target.vectors
