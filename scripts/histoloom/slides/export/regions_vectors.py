"""Regions of a slide as polygons: each connected patch of a class, along the edges of its pixels.

GDAL follows the edges. It reads the class map by rows from a compressed copy, so that what is held in memory grows with
the length of the borders, not with the slide.

Source: GDALPolygonize (https://gdal.org/api/gdal_alg.html), through rasterio.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import rasterio
from jaxtyping import Int32
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import shapes
from rasterio.io import DatasetReader, DatasetWriter, MemoryFile
from rasterio.windows import Window

from histoloom.formats.geojson import Polygons
from histoloom.sample import IGNORE
from histoloom.slides.band_store import BandStore

CACHE_BYTES = 2**26  # of decoded rows, which GDAL would let grow to a twentieth of the computer's memory
STRIP_PX = 16  # rows that are decoded at once


@dataclass(frozen=True)
class Region:
    """A connected patch of class `class_index` with `area_px` working pixels; `outline` is one polygon."""

    class_index: int
    area_px: int
    outline: Polygons


def regions_of(classes: BandStore) -> Iterator[Region]:
    """The patches of each foreground class (pixels that share an edge), in the order in which GDAL closes them.

    Background (0) and what nobody looked at (255) are no region. Outlines follow pixel edges exactly: painted again
    they give the class map. The order is the same in every run.
    """
    with _class_map(classes) as dataset:
        band = rasterio.band(dataset, 1)
        for geometry, value in shapes(band, mask=band, connectivity=4):
            rings = [np.array(ring[:-1]).astype(np.int32) for ring in geometry["coordinates"]]
            starts = np.cumsum([0, *map(len, rings)])
            outline = Polygons(np.array([0, len(rings)]), starts, np.concatenate(rings))
            yield Region(int(value), _area_px(rings), outline)


@contextmanager
def _class_map(classes: BandStore) -> Iterator[DatasetReader]:
    """A raster of the classes that GDAL reads, 0 where there is no region."""
    grid = classes.grid
    profile = {"driver": "GTiff", "height": grid.height, "width": grid.width, "count": 1, "dtype": "uint8"}
    profile |= {"compress": "deflate", "zlevel": 1, "blockysize": STRIP_PX, "bigtiff": "IF_SAFER"}
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), MemoryFile() as memory:
        with _opened(memory, **profile) as raster:
            for band in range(grid.bands):
                first, last = grid.rows(band)
                values = classes.read(band)[..., 0]
                window = Window(0, first, grid.width, last - first)
                raster.write(np.where(values == IGNORE, np.uint8(0), values), 1, window=window)
        with _opened(memory) as raster:
            yield raster


def _opened(memory: MemoryFile, **profile: object) -> DatasetReader | DatasetWriter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a slide lies nowhere on Earth
        return memory.open(**profile)


def _area_px(rings: list[Int32[np.ndarray, "_ 2"]]) -> int:
    """Pixels within the first ring and in none of the others (shoelace formula): exact, since corners are integers."""
    areas = []
    for ring in rings:
        x, y = ring.T.astype(np.int64)
        areas.append(abs(int(x @ np.roll(y, -1) - y @ np.roll(x, -1))) // 2)
    return areas[0] - sum(areas[1:])
