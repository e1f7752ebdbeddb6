import threading
import time

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.predict.engine.pixels import ImagePixels, read_ahead

SPANS = [(0, 3), (3, 7), (2, 9)]


class Watched:
    """Pixels that note what is read, and fail at one row."""

    height, width = 100, 4

    def __init__(self, bad_row: int | None = None) -> None:
        self.read: list[tuple[int, int]] = []
        self.bad_row = bad_row

    def rows(self, first: int, last: int) -> np.ndarray:
        self.read.append((first, last))
        if self.bad_row is not None and first <= self.bad_row < last:
            raise InputError(f"row {self.bad_row} is damaged")
        return np.full((last - first, 4, 3), first, np.uint8)


def wait_for(happened) -> None:
    ends = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.005)


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_spans_come_in_order_and_complete(count):
    image = np.arange(10 * 4 * 3, dtype=np.uint8).reshape(10, 4, 3)
    bands = list(read_ahead(ImagePixels(image), SPANS[:count]))
    assert len(bands) == count
    assert all((band == image[first:last]).all() for band, (first, last) in zip(bands, SPANS, strict=False))
    assert reading_threads() == []


def test_one_span_is_read_ahead_and_no_more():
    pixels = Watched()
    bands = read_ahead(pixels, [(row, row + 1) for row in range(10)])
    for row in range(8):
        assert (next(bands) == row).all()
        wait_for(lambda row=row: len(pixels.read) == row + 2)
        time.sleep(0.02)
        assert len(pixels.read) == row + 2
    bands.close()


def test_an_error_comes_out_at_the_span_that_raised_it():
    bands = read_ahead(Watched(bad_row=4), SPANS)
    assert (next(bands) == 0).all()
    with pytest.raises(InputError, match="row 4 is damaged"):
        next(bands)
    assert reading_threads() == []


def test_an_error_in_the_spans_ends_the_thread_too():
    def spans():
        yield 0, 3
        raise InputError("no more spans")

    with pytest.raises(InputError, match="no more spans"):
        list(read_ahead(Watched(), spans()))
    assert reading_threads() == []


def test_a_consumer_may_stop_early():
    pixels = Watched()
    for band in read_ahead(pixels, [(row, row + 1) for row in range(50)]):
        assert (band == 0).all()
        break
    wait_for(lambda: reading_threads() == [])
    assert pixels.read == [(0, 1), (1, 2)]
