"""What was found on a slide, at the resolution of a picture that shows all of it."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from histoloom.slides.band_store import BandStore
from histoloom.slides.nuclei.table import NucleiTable

SAMPLES = 4  # at most, a side, for each pixel of the picture


def class_shares(
    classes: BandStore, count: int, shape: tuple[int, int], factor: float
) -> UInt8[np.ndarray, "rows columns {count}"]:
    """How much of each pixel of a picture each of `count` classes takes, 255 is all of it.

    A pixel of the picture, `shape` (rows, columns) of them, is `factor` working pixels wide. Of it 4 x 4 points are
    looked up, evenly spread, or as many as it has working pixels where those are fewer. What nobody looked at (255) is
    in no class. Each band of the store is read once.
    """
    samples = int(np.clip(np.ceil(factor), 1, SAMPLES))
    rows, columns = (
        _places(side, samples, factor, limit)
        for side, limit in zip(shape, (classes.grid.height, classes.grid.width), strict=True)
    )
    hits = np.zeros((*shape, count), np.uint8)
    for band in range(classes.grid.bands):
        first, last = classes.grid.rows(band)
        mine = np.flatnonzero((rows >= first) & (rows < last))
        values = classes.read(band)[..., 0][rows[mine] - first][:, columns]
        for index in range(count):
            found = (values == index).reshape(len(mine), shape[1], samples).sum(2, dtype=np.uint8)
            np.add.at(hits[..., index], mine // samples, found)
    scale = np.rint(np.arange(samples**2 + 1) * 255 / samples**2).astype(np.uint8)
    return scale[hits]


def _places(side: int, samples: int, factor: float, limit: int) -> Int64[np.ndarray, " places"]:
    """The working pixel under each point; rounding may lay the last ones just outside of the working grid."""
    points = (np.arange(side * samples) + 0.5) / samples * factor
    return np.minimum(points.astype(np.int64), limit - 1)


def nuclei_density(
    tables: Iterable[NucleiTable], shape: tuple[int, int], mpp: float, cell_px: float
) -> Float64[np.ndarray, "rows columns"]:
    """Nuclei per mm² in square cells of `cell_px` working pixels of `mpp` µm, over `shape` (height, width) of them.

    A nucleus counts where its centroid lies. Cells that the border cuts have less area, by which theirs is divided.
    """
    edges = [np.arange(int(np.ceil(side / cell_px)) + 1) * cell_px for side in shape]
    counts = np.zeros([len(each) - 1 for each in edges])
    for table in tables:
        # A centroid of (0, 0) is the middle of the first pixel.
        places = (((centre + 0.5) // cell_px).astype(np.int64) for centre in (table.row, table.column))
        np.add.at(counts, tuple(places), 1)
    heights, widths = (np.diff(np.minimum(each, side)) for each, side in zip(edges, shape, strict=True))
    return counts / (np.outer(heights, widths) * mpp**2 / 1e6)
