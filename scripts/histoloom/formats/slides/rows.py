"""Whole rows of one level of a slide, of which each strip of tiles is decoded once on the way from top to bottom."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True)
class Level:
    """One level of a pyramid: full-resolution pixels per pixel, size, and rows that are best decoded together."""

    factor: float
    width: int
    height: int
    strip_px: int


class LevelRows:
    """Rows of a level, `width` pixels wide: beyond its own right and lower border its last pixels are repeated.

    `read_strip` decodes a strip by its number from the top, into an array (rows, level.width, 3).
    """

    def __init__(self, level: Level, read_strip: Callable[[int, np.ndarray], None], width: int) -> None:
        self.level, self.width = level, width
        self._read_strip = read_strip
        self._strips: dict[int, np.ndarray] = {}

    def rows(self, first: int, last: int) -> UInt8[np.ndarray, "rows width 3"]:
        """Rows `first` up to but without `last`; the strips decoded for them are kept until `forget`."""
        assert 0 <= first < last, (first, last)
        height, strip_px = self.level.height, self.level.strip_px
        top, end = min(first, height - 1), min(last, height)
        parts = []
        for number in range(top // strip_px, -(-end // strip_px)):
            above = number * strip_px
            parts.append(self._strip(number)[max(top - above, 0) : end - above])
        parts += [parts[-1][-1:]] * (last - first - (end - top))
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def forget(self, before: int) -> None:
        """Drop the strips that end at row `before` or above it, which the sweep has left behind."""
        kept = before // self.level.strip_px
        self._strips = {number: strip for number, strip in self._strips.items() if number >= kept}

    def _strip(self, number: int) -> UInt8[np.ndarray, "rows width 3"]:
        if number not in self._strips:
            level = self.level
            rows = min(level.strip_px, level.height - number * level.strip_px)
            strip = np.empty((rows, self.width, 3), np.uint8)
            self._read_strip(number, strip[:, : level.width])
            strip[:, level.width :] = strip[:, level.width - 1 : level.width]
            self._strips[number] = strip
        return self._strips[number]
