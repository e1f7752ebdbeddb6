"""What any format says of one image, whether truth or prediction: classes of pixels, nuclei, their classes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, UInt8

from histoloom.evaluate.counting.image_counts import Prediction, Truth
from histoloom.evaluate.counting.nucleus_table import nucleus_classes
from histoloom.evaluate.counting.overlap_table import relabel
from histoloom.sample import IGNORE

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Maps:
    """Class indices of pixels (255 = not annotated), nucleus ids (0 = none) with the class of each, probabilities.

    A nucleus of class 0 has no class: it counts among all nuclei, and in none of the classes. `nucleus_classes` is None
    where the mask tells: each nucleus then has the class of most of its pixels.
    """

    mask: UInt8[np.ndarray, "height width"]
    instances: Int32[np.ndarray, "height width"] | None = None
    nucleus_classes: Mapping[int, int] | None = None
    probabilities: UInt8[np.ndarray, "height width classes"] | None = None

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.mask.shape[0], self.mask.shape[1]


def painted(
    instances: Int32[np.ndarray, "height width"], classes: Mapping[int, int]
) -> UInt8[np.ndarray, "height width"]:
    """The class mask of nuclei: each pixel has the class of its nucleus, 0 where there is none.

    >>> painted(np.array([[7, 7, 0, 9]], np.int32), {7: 2, 9: 1})
    array([[2, 2, 0, 1]], dtype=uint8)
    """
    ids, position = relabel(instances)
    values = np.array([0, *(classes[number] for number in ids.tolist())], np.uint8)
    return values[position].reshape(instances.shape)


def as_truth(maps: Maps) -> Truth:
    """The maps as truth, whose nuclei have the class of most of their pixels."""
    return Truth(maps.mask, maps.instances)


def as_prediction(maps: Maps, n_classes: int) -> Prediction:
    """The maps as a prediction: what it calls 255 is no finding, a pixel of background and a nucleus left out.

    Raises ValueError for a class in the mask that does not exist.
    """
    classes, instances = maps.nucleus_classes, maps.instances
    if instances is not None and classes is None:
        classes = nucleus_classes(instances, maps.mask, n_classes)
    mask = np.where(maps.mask == IGNORE, np.uint8(0), maps.mask)
    if instances is not None and (dropped := [number for number, value in classes.items() if value == IGNORE]):
        instances = np.where(np.isin(instances, dropped), 0, instances).astype(np.int32)
    return Prediction(mask, instances, classes, maps.probabilities)


def nothing(size: Size, n_classes: int, has_nuclei: bool, has_probabilities: bool) -> Maps:
    """The maps of an image in which nothing was found: background, of probability 1."""
    mask = np.zeros(size, np.uint8)
    probabilities = None
    if has_probabilities:
        probabilities = np.zeros((*size, n_classes), np.uint8)
        probabilities[..., 0] = 255
    return Maps(mask, np.zeros(size, np.int32) if has_nuclei else None, {} if has_nuclei else None, probabilities)
