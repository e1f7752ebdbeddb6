"""The baseline that needs no learning: what haematoxylin stains above Otsu's threshold is foreground."""

import numpy as np
from jaxtyping import Float32, UInt8
from skimage.color import rgb2hed
from skimage.filters import threshold_otsu


def haematoxylin_otsu(
    image: UInt8[np.ndarray, "height width 3"], n_classes: int, *, foreground_class: int = 1
) -> Float32[np.ndarray, "height width n_classes"]:
    """Probabilities 0 and 1: foreground where the haematoxylin density is above the image's own Otsu threshold.

    One threshold cannot tell classes apart, so all foreground is of `foreground_class`: the most frequent foreground
    class among the masks of the training part, as the predict_baseline script counts it. An image of one colour is
    all background.
    Source: Ruifrok and Johnston 2001 (colour deconvolution), Otsu 1979.
    """
    density = rgb2hed(image)[..., 0]
    foreground = density > threshold_otsu(density)
    probabilities = np.zeros((*image.shape[:2], n_classes), np.float32)
    probabilities[..., 0] = ~foreground
    probabilities[..., foreground_class] = foreground
    return probabilities
