"""What follows the prediction of a slide: how visible its tiles are, and its class map; nuclei have a folder."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from histoloom.predict.engine.seams import Seams
from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.predict.regions.class_map import write_regions
from histoloom.predict.regions.settings import RegionPlan
from histoloom.predict.thresholds import Thresholds, coarser, read_thresholds
from histoloom.slides.band_store import BandStore, Grid
from histoloom.slides.class_bands import ClassBands


def thresholds_of(grid: Grid, paths: Sequence[Path], method: str) -> Thresholds:
    """The tuned thresholds of the fold whose model predicted, on the grid of the prediction.

    `paths` are those of each fold, or of one. Of an ensemble it is the fold of its first model. Raises InputError as
    `read_thresholds` does.
    """
    path = paths[grid.facts["fold"] if len(paths) > 1 else 0]
    return coarser(read_thresholds(path, method), grid.facts["downsample"])


def seam_index_of(predicted: BandStore, tissue: TissueMask) -> float | None:
    """How visible tile borders are in the tissue of a prediction, None where there is none; see Seams."""
    seams = Seams(predicted.grid.facts["stride_px"])
    for band in range(predicted.grid.bands):
        first, last = predicted.grid.rows(band)
        seams.add(first, predicted.rows(first, last), tissue.rows(first, last))
    return round(seams.index, 4) if math.isfinite(seams.index) else None


def write_class_map(
    folder: Path,
    predicted: BandStore,
    tissue: TissueMask,
    plan: RegionPlan,
    on_rows: Callable[[int], object] = lambda count: None,
) -> None:
    """Write the class map of a prediction into a folder, band by band; `on_rows` is told how many rows were read."""

    def rows(first: int, last: int) -> UInt8[np.ndarray, "rows width classes"]:
        on_rows(last - first)
        return predicted.rows(first, last)

    bands = ClassBands.create(folder, predicted.grid)
    write_regions(rows, bands.spans, plan, bands, inside=tissue.rows, outside=predicted.grid.facts["outside"])
