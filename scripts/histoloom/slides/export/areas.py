"""Areas and densities of a slide: how much tissue each class takes, and how many nuclei lie in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.sample import IGNORE
from histoloom.slides.band_store import BAND_PX, BandStore
from histoloom.slides.nuclei.table import NucleiTable

COLUMNS = ("slide", "model", "class", "area_mm2", "tissue_share", "nuclei", "nuclei_per_mm2_tissue")
COLUMNS += ("mean_nucleus_area_um2",)
CODES = 256  # of a byte


@dataclass(frozen=True)
class PixelCounts:
    """Working pixels of each class: of all the slide, and of those in tissue; and how many pixels tissue has."""

    whole: Int64[np.ndarray, " classes"]
    in_tissue: Int64[np.ndarray, " classes"]
    tissue: int


@dataclass(frozen=True)
class NucleusCounts:
    """Nuclei of each class by the class of the region that their centroid lies in, and their pixels together."""

    nuclei: Int64[np.ndarray, "classes classes_and_ignore"]
    pixels: Int64[np.ndarray, " classes"]


def count_pixels(classes: BandStore, tissue: TissueMask, n: int) -> PixelCounts:
    """Count the pixels of `n` classes, band by band; `tissue` is a mask over the same grid."""
    whole, in_tissue, tissue_pixels = np.zeros(CODES, np.int64), np.zeros(CODES, np.int64), 0
    for band in range(classes.grid.bands):
        values = classes.read(band)[..., 0]
        inside = tissue.rows(*classes.grid.rows(band))
        whole += np.bincount(values.ravel(), minlength=CODES)
        in_tissue += np.bincount(values[inside], minlength=CODES)
        tissue_pixels += int(np.count_nonzero(inside))
    assert not whole[n:IGNORE].any(), f"classes beyond the {n} of the model"
    return PixelCounts(whole[:n], in_tissue[:n], tissue_pixels)


def count_nuclei(tables: Iterable[NucleiTable], classes: BandStore, n: int) -> NucleusCounts:
    """Count the nuclei of `n` classes, table by table; each needs the bands that its centroids lie in."""
    counts, pixels = np.zeros((n, CODES), np.int64), np.zeros(n, np.int64)
    for table in tables:
        np.add.at(counts, (table.class_index, _region_at(classes, table)), 1)
        np.add.at(pixels, table.class_index, table.area_px)
    return NucleusCounts(counts[:, [*range(n), IGNORE]], pixels)


def _region_at(classes: BandStore, table: NucleiTable) -> UInt8[np.ndarray, " nuclei"]:
    """Class of the region at each centroid; that of the top left pixel's centre is (0, 0)."""
    rows, columns = (np.floor(place + 0.5).astype(np.int64) for place in (table.row, table.column))
    found = np.zeros(len(table), np.uint8)
    for band in np.unique(rows // BAND_PX).tolist():
        here = rows // BAND_PX == band
        first, _ = classes.grid.rows(band)
        found[here] = classes.read(band)[rows[here] - first, columns[here], 0]
    return found


def area_table(
    slide: str,
    model: str,
    names: Sequence[str],
    mpp: float,
    pixels: PixelCounts,
    nuclei: NucleusCounts,
    seam_index: float | None,
) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of a slide's areas: a row for each of the classes `names`, background first.

    - slide, model, class.
    - area_mm2: of all pixels with this class after smoothing and cleaning; that is, of the exported regions before any
      simplification. Of background only what lies in tissue, since glass is of no interest.
    - tissue_share: of the pixels in tissue those with this class, 0 to 1. Over the classes they add up to 1, but for
      what nobody looked at.
    - nuclei: how many have this class. nuclei_per_mm2_tissue: that by the area of tissue, whatever its class.
    - mean_nucleus_area_um2: mean of their areas in pixels, as µm².
    - nuclei_per_mm2_in_<class>, for each class: nuclei of the row's class whose centroid lies in regions of <class>, by
      those regions' area_mm2. For background, centroids anywhere outside regions count.
    - seam_index: of the slide, the same in all its rows: how much probabilities differ across the borders of tiles, by
      how much they do between other neighbours (predict/engine/seams.py); 1 where borders cannot be seen.

    Pixels have `mpp` µm a side. A cell is empty (None) where it would divide by 0.
    """
    mm2 = mpp**2 / 1e6
    areas = [count * mm2 for count in (*pixels.in_tissue[:1].tolist(), *pixels.whole[1:].tolist())]
    counts, shares, nucleus_pixels = nuclei.nuclei.tolist(), pixels.in_tissue.tolist(), nuclei.pixels.tolist()
    rows: list[list[object]] = []
    for index, name in enumerate(names):
        row = [slide, model, name, round(areas[index], 6), _ratio(shares[index], pixels.tissue, 6)]
        count = sum(counts[index])
        row += [count, _ratio(count, pixels.tissue * mm2, 3), _ratio(nucleus_pixels[index] * mpp**2, count, 3)]
        row += [_ratio(there, area, 3) for there, area in zip(counts[index][:-1], areas, strict=True)]
        rows.append([*row, seam_index])
    return [*COLUMNS, *(f"nuclei_per_mm2_in_{name}" for name in names), "seam_index"], rows


def _ratio(part: int | float, whole: int | float, decimals: int) -> float | None:
    return round(part / whole, decimals) if whole > 0 else None
