"""Whole slides and plain images read region by region: the only module that knows slide formats."""

import re
import warnings
from pathlib import Path
from types import TracebackType

import numpy as np
import openslide
import tifffile
from jaxtyping import UInt8
from PIL import Image

from histoloom.errors import InputError
from histoloom.formats import images

SLIDE_SUFFIXES = (".svs", ".ndpi", ".scn", ".mrxs", ".bif", ".svslide", ".vms", ".vmu", ".tif", ".tiff")
SUFFIXES = tuple(dict.fromkeys((".ome.tif", ".ome.tiff", *SLIDE_SUFFIXES, *images.SUFFIXES)))
BLOCK_PX = 2048  # side of what is read at once, in pixels of a level: bounds memory at 16 MB of RGBA
MPP_RANGE = (0.02, 20)  # µm; else it is no pixel size but the dots per inch of a screen (72 dpi would be 353 µm)
MICRONS = {"µm": 1, "\u03bcm": 1, "um": 1, "micron": 1, "nm": 1e-3, "mm": 1e3}
TAG_MICRONS = {2: 25_400, 3: 10_000}  # of an inch and a centimetre, the values of TIFF's ResolutionUnit
GENERIC = "generic-tiff"  # OpenSlide's word for a tiled TIFF of no scanner
BOUNDS = (
    openslide.PROPERTY_NAME_BOUNDS_X,
    openslide.PROPERTY_NAME_BOUNDS_Y,
    openslide.PROPERTY_NAME_BOUNDS_WIDTH,
    openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
)


class Slide:
    """An open slide or plain image; `width` and `height` in full-resolution pixels, `mpp` in µm per pixel or None.

    Whatever OpenSlide knows is read tile by tile, any other image whole, by formats/images.py. To be used in a `with`.
    A slide that states bounds of what was scanned (MRXS, SCN) is only what lies in them: size and places are theirs,
    as in QuPath, unless an image was added there with --no-crop.
    Raises InputError where the file cannot be opened.

    Source: https://openslide.org/api/python/#standard-properties
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputError(f"{path}: no such slide; expected a file; check the dataset's folder")
        self.path = path
        self._source = _Pyramid(path) if _is_pyramid(path) else _Plain(path)
        self.width, self.height = self._source.size
        self.mpp = self._source.mpp

    def __enter__(self) -> "Slide":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

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


class _Pyramid:
    """A slide that OpenSlide reads; `factors` are the whole downsamples of its levels, and places count from the corner
    of its bounds, where it states all four."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()
        self._origin, self.size = self._bounds()
        self.mpp = self._stated_mpp()
        self._levels = {round(factor): level for level, factor in enumerate(self._handle.level_downsamples)}
        self.factors = [factor for factor, level in self._levels.items() if self._is_whole(factor, level)]

    def read(self, factor: int, column: int, row: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
        level = self._levels[factor]
        scale = self._handle.level_downsamples[level]
        place = (round(column * scale), round(row * scale))
        corner = (self._origin[0] + place[0], self._origin[1] + place[1])
        try:
            pixels = np.asarray(self._handle.read_region(corner, level, (width, height)))
        except openslide.OpenSlideError as error:
            self._handle.close()
            self._open()  # after one bad tile, OpenSlide's handle refuses good tiles too
            raise InputError(
                f"{self.path}: a tile within x {place[0]} to {place[0] + width * factor}, y {place[1]} to "
                f"{place[1] + height * factor} cannot be decoded ({_reason(error)}); expected a whole slide; copy or "
                "export the slide again"
            ) from error
        return _on_white(pixels)

    def close(self) -> None:
        self._handle.close()

    def _open(self) -> None:
        try:
            self._handle = openslide.OpenSlide(self.path)
        except (openslide.OpenSlideError, OSError) as error:
            raise InputError(
                f"{self.path}: cannot be opened as a slide ({_reason(error)}); expected a whole one that OpenSlide "
                "reads; copy or download the slide again"
            ) from error

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
        return (_tiff_mpp(self.path) if is_plain else None) or _plausible(properties.get(openslide.PROPERTY_NAME_MPP_X))

    def _is_whole(self, factor: int, level: int) -> bool:
        # Scanners drop or fill what is left over at the border, so a level may be one pixel off.
        sides = zip(self._handle.dimensions, self._handle.level_dimensions[level], strict=True)
        return factor >= 1 and all(abs(full / factor - side) < 1 for full, side in sides)


class _Plain:
    """An image without tiles, decoded whole when the first region is asked for."""

    factors = (1,)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = _header_size(path)
        self.mpp = _tiff_mpp(path) if path.suffix.lower() in (".tif", ".tiff") else None
        self._pixels: np.ndarray | None = None

    def read(self, factor: int, column: int, row: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
        assert factor == 1, factor
        if self._pixels is None:
            self._pixels = images.read_image(self.path)
        if self._pixels.shape[1::-1] != self.size:
            raise InputError(
                f"{self.path}: {self._pixels.shape[1::-1]} pixels where its header says {self.size}; expected one "
                "size; save the image again, without rotation in its EXIF data"
            )
        return self._pixels[row : row + height, column : column + width]

    def close(self) -> None:
        self._pixels = None


def _is_pyramid(path: Path) -> bool:
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


def _tiff_mpp(path: Path) -> float | None:
    """The pixel size that OME-XML, ImageJ or the resolution tags of a TIFF state."""
    try:
        with tifffile.TiffFile(path) as file:
            return _plausible(_stated_mpp(file))
    except Exception:  # what tifffile cannot parse states no pixel size; bad pixels are refused where they are read
        return None


def _stated_mpp(file: tifffile.TiffFile) -> float | None:
    if ome := re.search(r'PhysicalSizeX="([^"]+)"', file.ome_metadata or ""):
        unit = re.search(r'PhysicalSizeXUnit="([^"]*)"', file.ome_metadata or "")
        return float(ome[1]) * MICRONS[unit[1] if unit else "µm"]
    tags = file.pages[0].tags
    imagej_unit = str((file.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
    microns = MICRONS.get(imagej_unit) or TAG_MICRONS[int(tags["ResolutionUnit"].value)]
    pixels, units = tags["XResolution"].value
    return microns * units / pixels


def _plausible(mpp: object) -> float | None:
    try:
        value = float(str(mpp))
    except ValueError:
        return None
    return value if MPP_RANGE[0] <= value <= MPP_RANGE[1] else None


def _on_white(pixels: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 3"]:
    alpha = pixels[..., 3:].astype(np.uint16)
    if (alpha == 255).all():
        return pixels[..., :3]
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _means(pixels: UInt8[np.ndarray, "height width 3"], share: int) -> UInt8[np.ndarray, "rows columns 3"]:
    if share == 1:
        return pixels
    rows, columns = pixels.shape[0] // share, pixels.shape[1] // share
    sums = pixels.reshape(rows, share, columns, share, 3).sum((1, 3), dtype=np.uint32)
    return ((sums + share**2 // 2) // share**2).astype(np.uint8)


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
