"""A slide as rows of working pixels: the nearest level that is as fine as wanted, resampled to the µm per pixel."""

from fractions import Fraction

import cv2
import numpy as np
from jaxtyping import UInt8

from histoloom.errors import InputError
from histoloom.formats.slides.rows import Level
from histoloom.formats.slides.slide import Slide

TOLERANCE = 0.01  # how far the working µm per pixel may lie from what is wanted: scanners differ by as much
MOST_ENLARGED = 2.2  # a slide scanned at 20x for a network of 40x; beyond this its nuclei have no texture left
CHUNK_PX = 64  # working rows, at least, that are resampled at once


class SlidePixels:
    """The working pixels of an open slide, `height` x `width` of exactly `mpp` µm a side (a histoloom Pixels).

    A level is scaled by the simplest fraction that comes within 1 % of the wanted `mpp` (by 1, where the level itself
    does: its pixels are then given as they are). `mpp` is what came of it, with which all places have to be computed:
    so nothing shifts, however far from the corner. The grid has round(side * slide.mpp / mpp) pixels; one that
    reaches over the border sees the slide's last pixels repeated.
    A working pixel is the mean of the level's pixels that it covers, by area; a slide coarser than wanted, by up to
    2.2 times, is enlarged linearly. How rows are cut into calls changes no byte, and memory does not grow with the
    slide's height: rows have to be asked for from top to bottom, else tiles are decoded again.
    The level is the coarsest that is fine enough. What a scanner stores there lies up to half of its pixels beside
    the full resolution.
    Raises InputError for a slide of unknown µm per pixel, or too coarse; `rows` also for tiles that are damaged.
    """

    def __init__(self, slide: Slide, mpp: int | float) -> None:
        wanted = mpp / _known_mpp(slide)
        number, scale = choose_level(slide.levels, wanted)
        if scale * MOST_ENLARGED < 1:
            raise InputError(
                f"{slide.path}: has {slide.mpp:g} µm per pixel; expected at most {mpp * MOST_ENLARGED:.3g} for a model "
                f"of {mpp:g}; choose a model for coarser slides, or correct the slide's mpp"
            )
        self.slide = slide
        self.downsample = slide.levels[number].factor * float(scale)  # full-resolution pixels per working pixel
        self.mpp = slide.mpp * self.downsample
        self.width, self.height = (max(1, round(side / self.downsample)) for side in (slide.width, slide.height))
        self._to, self._of = scale.denominator, scale.numerator
        self._chunk = self._to * -(-CHUNK_PX // self._to)
        self._last: tuple[int, np.ndarray] | None = None
        self._level = slide.level_rows(number, -(-self.width // self._to) * self._of)

    def rows(self, first: int, last: int) -> UInt8[np.ndarray, "rows {self.width} 3"]:
        """Rows `first` up to but without `last`, as RGB."""
        assert 0 <= first < last <= self.height, (first, last, self.height)
        rows = np.empty((last - first, self.width, 3), np.uint8)
        start = first // self._chunk * self._chunk
        self._level.forget(max(start // self._to - 1, 0) * self._of)
        for top in range(start, last, self._chunk):
            begin, end = max(first, top), min(last, top + self._chunk)
            rows[begin - first : end - first] = self._resampled(top)[begin - top : end - top, : self.width]
        return rows

    def _resampled(self, top: int) -> UInt8[np.ndarray, "chunk columns 3"]:
        # The next call mostly begins in the chunk in which the last one ended.
        if self._last is None or self._last[0] != top:
            self._last = (top, self._resample(top))
        return self._last[1]

    def _resample(self, top: int) -> UInt8[np.ndarray, "chunk columns 3"]:
        # Chunks begin where a working pixel does and a level's pixel does too, so that all are computed alike.
        first, count = top // self._to * self._of, self._chunk // self._to
        if self._of >= self._to:
            return _scaled(self._level.rows(first, first + count * self._of), count, self._to, cv2.INTER_AREA)
        # Enlarging looks one pixel beyond the chunk: it has a period more at both ends, which is cut off.
        above = min(first, self._of)
        level_rows = self._level.rows(first - above, first + (count + 1) * self._of)
        level_rows = np.concatenate([np.repeat(level_rows[:1], self._of - above, axis=0), level_rows])
        return _scaled(level_rows, count + 2, self._to, cv2.INTER_LINEAR)[self._to : -self._to]


def choose_level(levels: tuple[Level, ...], downsample: int | float) -> tuple[int, Fraction]:
    """The coarsest level that is at least as fine as wanted, and pixels of it per working pixel: below 1 where even the
    finest is coarser. `downsample` is in full-resolution pixels per working pixel.

    The fraction is the one of the smallest denominator within 1 % of what is wanted.
    """
    fine_enough = [number for number, level in enumerate(levels) if level.factor <= downsample * (1 + TOLERANCE)]
    number = max(fine_enough, key=lambda number: levels[number].factor, default=0)
    exact = downsample / levels[number].factor
    below = 1
    while abs(round(exact * below) / below - exact) > TOLERANCE * exact:
        below += 1
    return number, Fraction(round(exact * below), below)


def _known_mpp(slide: Slide) -> float:
    if slide.mpp is None:
        raise InputError(
            f"{slide.path}: does not state how many µm a pixel has; expected them in its header; set "
            "slides.<name>.mpp (often 0.25 at 40x, 0.5 at 20x: ask who scanned it)"
        )
    return slide.mpp


def _scaled(
    rows: UInt8[np.ndarray, "rows width 3"], periods: int, to: int, interpolation: int
) -> UInt8[np.ndarray, "scaled_rows scaled_width 3"]:
    """Each of the `periods` of rows, and as many of columns, as `to` pixels."""
    of = rows.shape[0] // periods
    if of == to:
        return rows
    size = (rows.shape[1] // of * to, periods * to)
    return cv2.resize(np.ascontiguousarray(rows), size, interpolation=interpolation)
