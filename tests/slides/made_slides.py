"""Slides made for tests and benchmarks: tissue with nuclei at known places, and tiled pyramids of any size on disk."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import tifffile

Rows = Callable[[int, int], np.ndarray]  # first row and the one after the last -> uint8 RGB (rows, width, 3)

GROUND = (244, 243, 245)  # empty glass
EOSIN = ((228, 168, 196), (240, 206, 220))  # the darkest and the lightest of the tissue between nuclei
HAEMATOXYLIN = (92, 62, 132)
PITCH_PX = 32  # of the grid on which nuclei lie
RADII_PX = (4, 9)  # nuclei never touch: jitter ends one pixel before the grid's lines
SHADES = 64
JPEG_2000 = 33005  # OpenSlide reads it in Aperio's files alone
APERIO = "Aperio Image Library v12.0.0\r\n|AppMag = 20|MPP = 0.5"  # makes OpenSlide call the file aperio


@dataclass(frozen=True)
class MadeTissue:
    """An H&E-like picture of any size, drawn row by row: an ellipse of tissue on white glass, purple discs in it.

    The ellipse fills `spread` of each side, and lies in the middle. `nuclei` says where the discs are. Rows are the
    same however they are cut into calls. It is a histoloom Pixels.
    """

    height: int
    width: int
    seed: int = 0
    spread: float = 0.8

    def rows(self, first: int, last: int) -> np.ndarray:
        """Rows `first` up to but without `last`, as uint8 RGB."""
        shades = np.where(self.tissue(first, last), self._shade(first, last), np.uint8(SHADES))
        shades[self.nucleus(first, last)] = SHADES + 1
        return _colours()[shades]

    def tissue(self, first: int, last: int) -> np.ndarray:
        """Where tissue is, bool (rows, width)."""
        down = (np.arange(first, last) + 0.5 - self.height / 2) / (self.spread * self.height / 2)
        across = (np.arange(self.width) + 0.5 - self.width / 2) / (self.spread * self.width / 2)
        return (down**2)[:, None].astype(np.float32) + (across**2)[None].astype(np.float32) <= 1

    def nucleus(self, first: int, last: int) -> np.ndarray:
        """Where nuclei are, bool (rows, width): pixels no further from a centre than its radius."""
        is_nucleus = np.zeros((last - first, self.width), bool)
        nuclei = self.nuclei(first, last)
        for radius in range(RADII_PX[0], RADII_PX[1] + 1):
            centres = nuclei[nuclei[:, 2] == radius]
            offsets = _disc(radius)
            columns = (centres[:, :1] + offsets[:, 0]).ravel()
            rows = (centres[:, 1:2] + offsets[:, 1]).ravel() - first
            is_inside = (rows >= 0) & (rows < last - first)
            is_nucleus[rows[is_inside], columns[is_inside]] = True
        return is_nucleus

    def nuclei(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Column and row of the centre pixel, and radius, int (n, 3), of nuclei that may reach into these rows."""
        last = self.height if last is None else last
        lines = range(max(first // PITCH_PX - 1, 0), min(-(-last // PITCH_PX) + 1, self.height // PITCH_PX))
        return np.concatenate([np.empty((0, 3), np.int64), *(self._line(line) for line in lines)])

    def _line(self, line: int) -> np.ndarray:
        rng = np.random.default_rng((self.seed, line))
        count = self.width // PITCH_PX
        play = PITCH_PX // 2 - RADII_PX[1] - 1
        columns = np.arange(count) * PITCH_PX + PITCH_PX // 2 + rng.integers(-play, play + 1, count)
        rows = line * PITCH_PX + PITCH_PX // 2 + rng.integers(-play, play + 1, count)
        radii = rng.integers(RADII_PX[0], RADII_PX[1] + 1, count)
        down = (rows + 0.5 - self.height / 2) / (self.spread * self.height / 2)
        across = (columns + 0.5 - self.width / 2) / (self.spread * self.width / 2)
        return np.stack([columns, rows, radii], 1)[down**2 + across**2 <= 1]

    def _shade(self, first: int, last: int) -> np.ndarray:
        # Fibres: two slow waves; uint8 arithmetic wraps as waves do.
        down = (np.arange(first, last) * 5 % 256).astype(np.uint8)[:, None]
        across = (np.arange(self.width) * 3 % 256).astype(np.uint8)[None]
        return (down + across) // (256 // SHADES)


def write_pyramid(
    path: Path,
    rows: Rows,
    height: int,
    width: int,
    *,
    levels: int = 1,
    step: int = 2,
    mpp: float | None = None,
    tile_px: int = 256,
    compression: str | None = "jpeg",
    **options: object,
) -> Path:
    """Write a tiled TIFF of `levels`, each `step` times coarser than the one before; OpenSlide calls it generic-tiff.

    Pixels are asked for once, a row of tiles at a time; coarser levels are means, rounded, and what is left over at
    the border is dropped. Memory is a few rows of tiles. `compression` is tifffile's ("jpeg", "deflate", "lzw", None
    ...; JPEG_2000 with `description=APERIO`), as are other options; without `mpp` the file states no pixel size.
    """
    if mpp is not None:
        options |= {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    if compression == "jpeg":
        options = {"compressionargs": {"level": 90}} | options
    options = {"photometric": "rgb", "metadata": None, "tile": (tile_px, tile_px), "compression": compression} | options
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(levels):
            coarser = Path(folder, f"{level}.rgb") if level + 1 < levels else None
            tiles = _tiles(rows, height, width, tile_px, step, coarser)
            kind = {"subfiletype": 1} if level else {}
            file.write(tiles, shape=(height, width, 3), dtype=np.uint8, **options, **kind)
            height, width = height // step, width // step
            if coarser:
                rows = _raw_rows(coarser, width)
    return path


def _tiles(rows: Rows, height: int, width: int, tile_px: int, step: int, coarser: Path | None) -> Iterator[np.ndarray]:
    """The tiles of a level, row by row, padded with white; pixels of the next level go to the file `coarser`."""
    left = np.empty((0, width, 3), np.uint8)  # rows that are not enough for one of the next level
    for first in range(0, height, tile_px):
        band = rows(first, min(first + tile_px, height))
        if coarser:
            left = _append_means(coarser, np.concatenate([left, band]), step)
        sides = (tile_px - band.shape[0], -width % tile_px)
        padded = np.pad(band, ((0, sides[0]), (0, sides[1]), (0, 0)), constant_values=255)
        for column in range(0, width, tile_px):
            yield np.ascontiguousarray(padded[:, column : column + tile_px])


def _append_means(path: Path, pixels: np.ndarray, step: int) -> np.ndarray:
    height, width = (side // step for side in pixels.shape[:2])
    if height:
        blocks = np.ascontiguousarray(pixels[: height * step, : width * step])
        with path.open("ab") as file:
            file.write(cv2.resize(blocks, (width, height), interpolation=cv2.INTER_AREA).tobytes())
    return pixels[height * step :]


def _raw_rows(path: Path, width: int) -> Rows:
    def rows(first: int, last: int) -> np.ndarray:
        values = np.fromfile(path, np.uint8, (last - first) * width * 3, offset=first * width * 3)
        return values.reshape(last - first, width, 3)

    return rows


@lru_cache
def _disc(radius: int) -> np.ndarray:
    offsets = np.arange(-radius, radius + 1)
    columns, rows = np.meshgrid(offsets, offsets)
    is_inside = columns**2 + rows**2 <= radius**2
    return np.stack([columns[is_inside], rows[is_inside]], 1)


@lru_cache
def _colours() -> np.ndarray:
    share = np.linspace(0, 1, SHADES)[:, None]
    eosin = np.rint((1 - share) * EOSIN[0] + share * EOSIN[1])
    return np.concatenate([eosin, [GROUND], [HAEMATOXYLIN]]).astype(np.uint8)
