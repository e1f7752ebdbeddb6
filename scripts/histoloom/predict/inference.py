"""From an image of any size to class probabilities and instance maps on its own grid."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from histoloom.errors import InputError
from histoloom.predict.engine.engine import Engine
from histoloom.predict.engine.handover import NO_NUMBERS, on_host
from histoloom.predict.engine.pixels import ImagePixels
from histoloom.split.downsample import downsampled_image


def predict_image(
    engine: Engine, image: UInt8[np.ndarray, "height width 3"]
) -> tuple[Float32[np.ndarray, "height width classes"], Float32[np.ndarray, "height width 2"] | None]:
    """Probabilities of the card's classes at every pixel of the image, summing to one, and the instance maps.

    The maps, horizontal and vertical, are as the network gives them: from about -1 to 1 across each nucleus, whatever
    its size, and so at any resolution. They are None where the network has none.
    Raises InputError for a network that gives no numbers.
    The image is reduced by the card's "downsample", swept, and what is predicted brought back to its own grid.
    """
    factor, outputs = engine.card["downsample"], engine.outputs
    small = downsampled_image(image, factor)
    values = np.empty((*small.shape[:2], outputs.count), np.float32)
    for first, (band,) in on_host(engine.sweep(ImagePixels(small)), lambda band: (band,)):
        values[first : first + len(band)] = band
    if not np.isfinite(values).all():
        raise InputError(f"{engine.card.get('network')}: {NO_NUMBERS}")
    probabilities, maps = np.split(_native(values, factor, image.shape[:2]), [len(outputs.classes)], axis=2)
    return probabilities / probabilities.sum(axis=2, keepdims=True), maps if outputs.has_maps else None


def _native(
    values: Float32[np.ndarray, "small_height small_width channels"], factor: int, shape: tuple[int, int]
) -> Float32[np.ndarray, "height width channels"]:
    if factor == 1:
        return values
    # Each pixel stands for a block of factor x factor; the last blocks may reach beyond the image.
    size = (values.shape[1] * factor, values.shape[0] * factor)
    return cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]]
