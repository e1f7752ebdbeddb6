"""What is made of nuclei whatever the method: those too small are left out, each of the others gets its class."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, UInt8

from histoloom.predict.foreground import renumbered


@dataclass(frozen=True)
class Nucleus:
    """One nucleus: id in the instance map, class index, centroid and area in pixels, mean probability of its class."""

    number: int
    class_index: int
    row: float
    column: float
    area_px: int
    mean_probability: float


def without_small(nuclei: Int32[np.ndarray, "height width"], min_area_px: int) -> Int32[np.ndarray, "height width"]:
    """The nuclei of at least that many pixels, ids from 1 without gaps in the order that they had.

    >>> without_small(np.array([[1, 2, 2, 0, 3, 3]], np.int32), 2)
    array([[0, 1, 1, 0, 2, 2]], dtype=int32)
    """
    return renumbered(nuclei, np.bincount(nuclei.ravel()) >= max(min_area_px, 1))


def describe_nuclei(
    nuclei: Int32[np.ndarray, "height width"], probabilities: UInt8[np.ndarray, "height width classes"]
) -> list[Nucleus]:
    """Class, centroid, area and mean probability of each nucleus, by id.

    The class is the foreground class with the largest sum of probabilities over its pixels, the first of equals.
    """
    inside, count = np.nonzero(nuclei), int(nuclei.max(initial=0))
    ids, values = nuclei[inside], probabilities[inside]
    areas = np.bincount(ids, minlength=count + 1)[1:]
    rows, columns = (np.bincount(ids, place, minlength=count + 1)[1:] / areas for place in inside)
    sums = np.stack([np.bincount(ids, of_class, minlength=count + 1)[1:] for of_class in values.T[1:]], axis=1)
    classes = sums.argmax(axis=1)
    means = sums[np.arange(count), classes] / areas / 255
    found = zip(range(1, count + 1), classes + 1, rows, columns, areas, means, strict=True)
    return [Nucleus(i, int(k), float(r), float(c), int(area), float(mean)) for i, k, r, c, area, mean in found]
