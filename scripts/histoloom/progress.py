"""How far a script is: a bar on a terminal, a line every ten seconds in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

LINE_EVERY_SECONDS = 10

Progress = Callable[[int, int], None]


@contextmanager
def progress_bar(name: str, unit: str) -> Iterator[Progress]:
    """Give a callback for (done, total) in `unit` that moves a bar on a terminal and prints lines elsewhere.

    The callback may be called as often as one likes; a new total resizes the bar.
    """
    with tqdm(desc=name, unit=unit, unit_scale=unit == "B", disable=None) as bar:  # None: on a terminal only
        yield line_printer(name, unit) if bar.disable else _mover(bar)


def line_printer(name: str, unit: str = "images") -> Progress:
    """A callback for logs that takes (done, total): one line every 10 seconds and one at the end, on stderr.

    Bytes ("B") are shown in MB; a total of 0 is unknown and left out.
    """
    start = last = time.monotonic()
    scale, word = (1e6, "MB") if unit == "B" else (1, unit)

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY_SECONDS or done == total:
            last = now
            amount = f"{done / scale:.0f} of {total / scale:.0f}" if total else f"{done / scale:.0f}"
            sys.stderr.write(f"{name}: {amount} {word}, {now - start:.0f} s\n")
            sys.stderr.flush()

    return show


def _mover(bar: tqdm) -> Progress:
    def move(done: int, total: int) -> None:
        bar.total = total or None
        bar.update(done - bar.n)

    return move
