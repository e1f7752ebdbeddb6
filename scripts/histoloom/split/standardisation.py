"""Mean and standard deviation of each colour channel over the training part of a fold, for standardising the input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from histoloom.errors import InputError
from histoloom.prepared import read_table

BLOCK_PIXELS = 1 << 20  # 3 MiB read, 8 MiB while a channel is counted
CHANNELS = ("red", "green", "blue")


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation (dividing by n) of red, green and blue in 0 to 1, over so many pixels and images."""

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    pixels: int
    images: int


def channel_statistics(
    pixels: UInt8[np.ndarray, "pixels 3"], image_table: Path, names: Sequence[str]
) -> ChannelStatistics:
    """Measure the named images in tiles/images.npy, every pixel once, annotated or not.

    `pixels` may be memory-mapped: a block of it is read at a time. Values are counted, and sums taken in integers, so
    the result is exact to the last division and root.
    Raises InputError for an image that the table does not have, and for a channel of one value.
    """
    spans = {row["name"]: _span(row) for row in read_table(image_table)}
    if missing := [name for name in names if name not in spans]:
        raise InputError(
            f"{image_table}: has no image '{missing[0]}', which folds.csv trains on; expected all images; run the "
            "workflow again"
        )
    counts = count_values(pixels, [spans[name] for name in names])
    means, sds = zip(*(_moments(channel.tolist()) for channel in counts), strict=True)
    if 0.0 in sds:
        raise InputError(
            f"{image_table}: the {CHANNELS[sds.index(0.0)]} channel has one value in all training images; expected "
            "colours that vary; see the inspection's findings"
        )
    return ChannelStatistics(means, sds, int(counts[0].sum()), len(names))


def count_values(pixels: UInt8[np.ndarray, "pixels 3"], spans: Iterable[slice]) -> Int64[np.ndarray, "3 256"]:
    """Count how often each value occurs in each channel within spans of pixels.

    >>> counts = count_values(np.array([[0, 7, 255], [0, 9, 9], [1, 1, 1]], np.uint8), [slice(0, 2)])
    >>> counts[0, 0].item(), counts[1, 7].item(), counts.sum().item()
    (2, 1, 6)
    """
    counts = np.zeros((3, 256), np.int64)
    for span in spans:
        for first in range(span.start, span.stop, BLOCK_PIXELS):
            block = pixels[first : min(first + BLOCK_PIXELS, span.stop)]
            counts += np.stack([np.bincount(block[:, channel], minlength=256) for channel in range(3)])
    return counts


def _span(row: dict[str, str]) -> slice:
    offset = int(row["offset"])
    return slice(offset, offset + int(row["height"]) * int(row["width"]))


def _moments(counts: Sequence[int]) -> tuple[float, float]:
    # Python's integers: the squares of 10^10 pixels leave the range of 64 bits once multiplied by their number.
    number = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    return total / (255 * number), sqrt((number * squares - total * total) / (255 * number) ** 2)
