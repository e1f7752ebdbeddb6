"""Where a slide's pixels come from: OpenSlide with TIFF tiles decoded directly where that is the same, or an image."""

import warnings
from pathlib import Path

import numpy as np
import openslide
import tifffile
from jaxtyping import UInt8
from PIL import Image

from histoloom.errors import InputError
from histoloom.formats import images
from histoloom.formats.slides.checks import require_size
from histoloom.formats.slides.mpp import plausible_mpp, tiff_mpp
from histoloom.formats.slides.rows import Level
from histoloom.formats.slides.tiles import VENDORS, BadTile, TiffTiles

GENERIC = "generic-tiff"  # OpenSlide's word for a tiled TIFF of no scanner
STRIP_PX = 256  # rows that are decoded together where tiles are lower, or unknown
MOST_STRIP_PX = 4096  # and where they are higher: all rows of a strip are in memory at once
BLOCK_PX = 2048  # columns that OpenSlide gives at once: bounds what its RGBA takes
BOUNDS = (
    openslide.PROPERTY_NAME_BOUNDS_X,
    openslide.PROPERTY_NAME_BOUNDS_Y,
    openslide.PROPERTY_NAME_BOUNDS_WIDTH,
    openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
)


class Pyramid:
    """A slide that OpenSlide reads; `factors` are the whole downsamples of its levels, and places count from the corner
    of its bounds, where it states all four."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()
        self._origin, self.size = self._bounds()
        require_size(path, *self.size)
        self.mpp = self._stated_mpp()
        # Numbers of OpenSlide's levels by whole factor, for the regions of `read`.
        self._levels = {round(factor): level for level, factor in enumerate(self._handle.level_downsamples)}
        self.factors = [factor for factor, level in self._levels.items() if self._is_whole(factor, level)]
        self._tiles = self._open_tiles()
        self.levels = [self._level(level) for level in range(self._handle.level_count)]

    def read(self, factor: int, column: int, row: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
        """A region in pixels of the level of a whole `factor`."""
        return self._region(self._levels[factor], factor, column, row, width, height)

    def read_strip(self, level: int, number: int, into: UInt8[np.ndarray, "rows width 3"]) -> None:
        """Decode strip `number` of a level, counted from the top, into an array of its size."""
        factor, strip_px = self.levels[level].factor, self.levels[level].strip_px
        if self._tiles and level in self._tiles.strips:
            try:
                self._tiles.read(level, number, into)
            except BadTile as bad:
                corner = (bad.number * self._tiles.width(level), number * strip_px)
                raise self._bad(factor, *corner, self._tiles.width(level), strip_px, str(bad)) from bad
            return
        for left in range(0, into.shape[1], BLOCK_PX):
            part = into[:, left : left + BLOCK_PX]
            part[:] = self._region(level, factor, left, number * strip_px, *part.shape[1::-1])

    def close(self) -> None:
        """Close the file."""
        self._handle.close()
        if self._tiles:
            self._tiles.close()

    def _region(self, level: int, factor: int | float, column: int, row: int, width: int, height: int) -> np.ndarray:
        scale = self._handle.level_downsamples[level]
        corner = (self._origin[0] + round(column * scale), self._origin[1] + round(row * scale))
        try:
            return _on_white(np.asarray(self._handle.read_region(corner, level, (width, height))))
        except openslide.OpenSlideError as error:
            self._handle.close()
            self._open()  # after one bad tile, OpenSlide's handle refuses good tiles too
            raise self._bad(factor, column, row, width, height, _reason(error)) from error

    def _bad(self, factor: int | float, column: int, row: int, width: int, height: int, reason: str) -> InputError:
        left, top, right, bottom = (
            min(round(place * factor), side)
            for place, side in zip((column, row, column + width, row + height), self.size * 2, strict=True)
        )
        return InputError(
            f"{self.path}: a tile within x {left} to {right}, y {top} to {bottom} cannot be decoded ({reason[:120]}); "
            "expected a whole slide; copy or export the slide again"
        )

    def _open(self) -> None:
        try:
            self._handle = openslide.OpenSlide(self.path)
        except (openslide.OpenSlideError, OSError) as error:
            raise InputError(
                f"{self.path}: cannot be opened as a slide ({_reason(error)}); expected a whole one that OpenSlide "
                "reads; copy or download the slide again"
            ) from error

    def _open_tiles(self) -> TiffTiles | None:
        # With bounds, or tiles that lie askew, what OpenSlide shows is not what is stored.
        if self._handle.properties.get(openslide.PROPERTY_NAME_VENDOR) not in VENDORS or self._origin != (0, 0):
            return None
        return TiffTiles(self.path, self._handle.level_dimensions)

    def _level(self, level: int) -> Level:
        stated = self._handle.level_downsamples[level]
        factor = float(round(stated)) if self._is_whole(round(stated), level) else float(stated)
        width, height = self._handle.level_dimensions[level]
        if self.size != self._handle.dimensions:
            width, height = (max(1, int(side / factor)) for side in self.size)
        stated_px = int(self._handle.properties.get(f"openslide.level[{level}].tile-height", STRIP_PX))
        tile_px = min(stated_px, MOST_STRIP_PX)
        known = self._tiles.strips.get(level) if self._tiles else None
        return Level(factor, width, height, known or tile_px * -(-STRIP_PX // tile_px))

    def _bounds(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where what was scanned begins, and its width and height."""
        width, height = self._handle.dimensions
        stated = [self._handle.properties.get(name) for name in BOUNDS]
        if None in stated:
            return (0, 0), (width, height)
        left, top, bounds_width, bounds_height = map(int, stated)
        return (left, top), (min(bounds_width, width - left), min(bounds_height, height - top))

    def _stated_mpp(self) -> float | None:
        properties = self._handle.properties
        # Of a TIFF of no scanner OpenSlide knows the resolution tags alone, but OME-XML is the more exact one.
        is_plain = properties.get(openslide.PROPERTY_NAME_VENDOR) == GENERIC
        return (tiff_mpp(self.path) if is_plain else None) or plausible_mpp(
            properties.get(openslide.PROPERTY_NAME_MPP_X)
        )

    def _is_whole(self, factor: int, level: int) -> bool:
        # Scanners drop or fill what is left over at the border, so a level may be one pixel off.
        sides = zip(self._handle.dimensions, self._handle.level_dimensions[level], strict=True)
        return factor >= 1 and all(abs(full / factor - side) < 1 for full, side in sides)


class PlainImage:
    """An image without tiles, decoded whole when the first region is asked for."""

    factors = (1,)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = _header_size(path)
        self.mpp = tiff_mpp(path) if path.suffix.lower() in (".tif", ".tiff") else None
        self.levels = [Level(1.0, *self.size, STRIP_PX)]
        self._pixels: np.ndarray | None = None

    def read(self, factor: int, column: int, row: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
        """A region in pixels."""
        assert factor == 1, factor
        if self._pixels is None:
            self._pixels = images.read_image(self.path)
        if self._pixels.shape[1::-1] != self.size:
            raise InputError(
                f"{self.path}: {self._pixels.shape[1::-1]} pixels where its header says {self.size}; expected one "
                "size; save the image again, without rotation in its EXIF data"
            )
        return self._pixels[row : row + height, column : column + width]

    def read_strip(self, level: int, number: int, into: UInt8[np.ndarray, "rows width 3"]) -> None:
        """Rows of the image into an array of their size."""
        assert level == 0, level
        into[:] = self.read(1, 0, number * STRIP_PX, into.shape[1], into.shape[0])

    def close(self) -> None:
        """Forget the pixels."""
        self._pixels = None


def is_pyramid(path: Path) -> bool:
    """Whether OpenSlide is to read the file, and shows its colours as they are."""
    vendor = openslide.OpenSlide.detect_format(path)
    if vendor != GENERIC:
        return vendor is not None
    # OpenSlide squeezes any tiled TIFF into 8-bit colours: only one that has them is its.
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            return len(file.series[0].shape) == 3 and page.dtype == np.uint8 and page.samplesperpixel in (3, 4)
    except Exception:  # a damaged TIFF raises many kinds; histoloom.formats.images names what is wrong
        return False


def _header_size(path: Path) -> tuple[int, int]:
    try:
        # What Pillow warns of is refused, or known to be harmless, where the pixels are read.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:
            return file.size
    except Exception:  # of many kinds; the reader of images says what is wrong, or knows a format that Pillow does not
        height, width, _ = images.read_image(path).shape
        return width, height


def _on_white(pixels: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 3"]:
    if pixels[..., 3].min() == 255:
        return pixels[..., :3]
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
