"""Where the pixels of a sweep come from: rows of an image at the working resolution, read in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8


@runtime_checkable  # tests check what is given to a signature
class Pixels(Protocol):
    """An image of `height` x `width` working pixels that is read in bands of whole rows."""

    height: int
    width: int

    def rows(self, first: int, last: int) -> UInt8[np.ndarray, "rows {self.width} 3"]:
        """Rows `first` up to but without `last`, as RGB."""
        ...


class ImagePixels:
    """An image that is in memory."""

    def __init__(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]

    def rows(self, first: int, last: int) -> UInt8[np.ndarray, "rows width 3"]:
        """A view of the image."""
        return self.image[first:last]


def read_ahead(pixels: Pixels, spans: Iterable[tuple[int, int]]) -> Iterator[UInt8[np.ndarray, "_ _ 3"]]:
    """The rows of each span (first, last), in order; a thread reads the next ones while these are worked on.

    No more than one span is read ahead, so that two are in memory. What reading raises is raised here, at its span.
    A consumer that stops early closes the iterator: it waits for the span that is being read, and starts no other.
    """
    reading = deque()
    with ThreadPoolExecutor(1, "read-ahead") as reader:
        for first, last in spans:
            reading.append(reader.submit(pixels.rows, first, last))
            if len(reading) > 1:
                # A future holds its rows: it is dropped before they are handed on.
                yield reading.popleft().result()
        if reading:
            yield reading.popleft().result()
