"""Which classes masks hold, and how often."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from histoloom.class_pixels import class_pixels


def most_frequent_foreground(masks: Iterable[UInt8[np.ndarray, "_ _"]], class_count: int) -> int:
    """Index of the class but background with most pixels over all masks; the first of equals, 1 where there are none.

    >>> most_frequent_foreground([np.array([[0, 0, 0, 1], [2, 2, 255, 255]], np.uint8)], 3)
    2
    """
    return 1 + int(class_pixels(masks, class_count)[1:].argmax())
