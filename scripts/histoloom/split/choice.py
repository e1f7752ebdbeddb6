"""Which few windows stand for many where somebody is to look at them: spread over all, with foreground in them."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from histoloom.sample import IGNORE


def spread_choice(masks: Iterable[UInt8[np.ndarray, "_ _"]], count: int) -> list[int]:
    """Places of `count` masks at most: cut into runs, and of each run the mask with most pixels of foreground.

    Foreground is what is annotated as something else than background; the first of equals is taken. A mask that is
    smaller than the others, at an image's border, has no advantage: pixels count, not their share.

    >>> spread_choice([np.array([[value]], np.uint8) for value in (0, 1, 2, 255, 0, 0)], 3)
    [1, 2, 4]
    """
    pixels = [int(((mask != 0) & (mask != IGNORE)).sum()) for mask in masks]
    runs = np.array_split(np.arange(len(pixels)), min(count, len(pixels)))
    return [max(run.tolist(), key=lambda place: pixels[place]) for run in runs]
