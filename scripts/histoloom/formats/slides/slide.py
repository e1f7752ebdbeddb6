"""Whole slides and plain images, read region by region or row by row: what the project knows of slide formats."""

from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import UInt8

from histoloom.errors import InputError
from histoloom.formats import images
from histoloom.formats.slides.checks import require_whole
from histoloom.formats.slides.mpp import MPP_RANGE, plausible_mpp
from histoloom.formats.slides.rows import Level, LevelRows
from histoloom.formats.slides.sources import PlainImage, Pyramid, is_pyramid

SLIDE_SUFFIXES = (".svs", ".ndpi", ".scn", ".mrxs", ".bif", ".svslide", ".vms", ".vmu", ".tif", ".tiff")
SUFFIXES = tuple(dict.fromkeys((".ome.tif", ".ome.tiff", *SLIDE_SUFFIXES, *images.SUFFIXES)))
BLOCK_PX = 2048  # side of what is read at once, in pixels of a level: bounds memory at 16 MB of RGBA


class Slide:
    """An open slide or plain image; `width` and `height` in full-resolution pixels, `mpp` in µm per pixel or None.

    Whatever OpenSlide knows is read tile by tile, any other image whole, by formats/images.py. To be used in a `with`.
    A slide that states bounds of what was scanned (MRXS, SCN) is only what lies in them: size and places are theirs,
    as in QuPath, unless an image was added there with --no-crop.
    A given `mpp` counts in place of the header's, which stays in `stated_mpp`.
    Raises InputError where the file cannot be opened, or a given mpp is none that a slide can have.

    Source: https://openslide.org/api/python/#standard-properties
    """

    def __init__(self, path: Path, mpp: int | float | None = None) -> None:
        if not path.is_file():
            raise InputError(f"{path}: no such slide; expected a file; mend its path, or put the slide there")
        if mpp is not None and plausible_mpp(mpp) is None:
            raise InputError(
                f"{path}: mpp {mpp}; expected µm per full-resolution pixel, {MPP_RANGE[0]} to {MPP_RANGE[1]}; "
                "correct the slide's mpp (0.25 at 40x, 0.5 at 20x)"
            )
        require_whole(path)
        self.path = path
        self._source = Pyramid(path) if is_pyramid(path) else PlainImage(path)
        self.width, self.height = self._source.size
        self.stated_mpp = self._source.mpp
        self.mpp = self.stated_mpp if mpp is None else float(mpp)

    def __enter__(self) -> "Slide":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels of the pyramid, the full resolution first."""
        return tuple(self._source.levels)

    def level_rows(self, number: int, width: int | None = None) -> LevelRows:
        """Whole rows of a level, for reading it once from top to bottom; `width` to have its last column repeated."""
        level = self.levels[number]
        return LevelRows(level, partial(self._source.read_strip, number), level.width if width is None else width)

    def size_at(self, downsample: int) -> tuple[int, int]:
        """Width and height in working pixels, of `downsample` full-resolution pixels a side; what is left over at the
        right and lower border is no working pixel."""
        return self.width // downsample, self.height // downsample

    def read(
        self, column: int, row: int, width: int, height: int, downsample: int = 1
    ) -> UInt8[np.ndarray, "{height} {width} 3"]:
        """Read a region, all four in working pixels of `downsample` full-resolution pixels a side, as RGB.

        A working pixel is the mean of the pixels that it covers: of the coarsest level of at least twice its
        resolution, since coarser ones are shifted by fractions of their pixels. Transparency is laid on white.
        Raises InputError with slide and place where a tile cannot be decoded; other regions can still be read then.
        """
        assert 0 <= column <= column + width <= self.size_at(downsample)[0], (column, width, downsample)
        assert 0 <= row <= row + height <= self.size_at(downsample)[1], (row, height, downsample)
        factor = self._factor(downsample)
        share = downsample // factor
        side = max(1, BLOCK_PX // share)
        region = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, side):
            for left in range(0, width, side):
                part = region[top : top + side, left : left + side]
                size = (part.shape[1] * share, part.shape[0] * share)
                part[:] = _means(self._source.read(factor, (column + left) * share, (row + top) * share, *size), share)
        return region

    def _factor(self, downsample: int) -> int:
        fitting = (factor for factor in self._source.factors if downsample % factor == 0 and downsample >= 2 * factor)
        return max(fitting, default=1)


def _means(pixels: UInt8[np.ndarray, "height width 3"], share: int) -> UInt8[np.ndarray, "rows columns 3"]:
    if share == 1:
        return pixels
    rows, columns = pixels.shape[0] // share, pixels.shape[1] // share
    sums = pixels.reshape(rows, share, columns, share, 3).sum((1, 3), dtype=np.uint32)
    return ((sums + share**2 // 2) // share**2).astype(np.uint8)
