"""Turn the prediction of a slide into its class map and its nuclei, band by band."""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import run
from histoloom.files import atomic_folder, write_json
from histoloom.plugins import names
from histoloom.predict.engine.seams import Seams
from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.predict.regions.class_map import write_regions
from histoloom.predict.regions.settings import RegionSettings, plan_regions
from histoloom.predict.thresholds import KIND, coarser, read_thresholds
from histoloom.slides.band_store import BandStore, Grid
from histoloom.slides.class_bands import ClassBands
from histoloom.slides.nuclei import nuclei_of_slide
from histoloom.slides.nuclei_table import write_tables
from histoloom.slides.slide_facts import read_slide_facts, tissue_on


def main() -> None:
    args = parse()
    predicted = BandStore.open(args.prediction_probabilities)
    grid, outside = predicted.grid, predicted.grid.facts["outside"]
    thresholds = coarser(read_thresholds(settings_of_fold(args.settings, grid), args.method), grid.facts["downsample"])
    maps = BandStore.open(args.prediction_maps).rows if BandStore.is_at(args.prediction_maps) else None
    slide = read_slide_facts(args.slide_json)
    tissue = tissue_on(grid, args.tissue, slide)
    settings, min_area_px = settings_among(args, RegionSettings), thresholds.min_area_px
    plan = plan_regions(settings, grid.mpp, min_area_px, grid.facts["slide"])
    shape = (grid.height, grid.width)
    write_json(args.seams, {"seam_index": seams_of(predicted, tissue)})
    with atomic_folder(args.classes) as folder, atomic_folder(args.nuclei) as nuclei_folder:
        with tqdm(total=grid.height, desc="regions", unit="row", disable=None) as progress:

            def rows(first: int, last: int) -> UInt8[np.ndarray, "rows width classes"]:
                progress.update(last - first)
                return predicted.rows(first, last)

            bands = ClassBands.create(folder, grid)
            write_regions(rows, bands.spans, plan, bands, inside=tissue.rows, outside=outside)
        sizes = {"min_area_px": min_area_px, "margin_px": args.margin_px}
        found = nuclei_of_slide(predicted.rows, maps, shape, args.method, thresholds.options, **sizes)
        progress = tqdm(found, desc="nuclei", unit="row of blocks", disable=None)
        count, disputed = write_tables(nuclei_folder, iter(progress))
    if disputed:
        print(
            f"warning: {grid.facts['slide']}: of {count} nuclei {disputed} are seen differently by two blocks; they "
            "are larger than a block's margin, and may be doubled, cut or missing",
            file=sys.stderr,
        )


def seams_of(predicted: BandStore, tissue: TissueMask) -> float | None:
    """How visible tile borders are in tissue, None where there is none."""
    seams = Seams(predicted.grid.facts["stride_px"])
    for band in range(predicted.grid.bands):
        first, last = predicted.grid.rows(band)
        seams.add(first, predicted.rows(first, last), tissue.rows(first, last))
    return round(seams.index, 4) if math.isfinite(seams.index) else None


def settings_of_fold(paths: list[Path], grid: Grid) -> Path:
    """The tuned thresholds of the fold whose model predicted; of an ensemble those of its first one."""
    return paths[grid.facts["fold"] if len(paths) > 1 else 0]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prediction-probabilities", type=Path, required=True, help="folder of bands (predict_slide)")
    parser.add_argument("--prediction-maps", type=Path, required=True, help="folder of instance maps; maybe not there")
    parser.add_argument("--slide-json", type=Path, required=True, help="slide.json that find_tissue wrote")
    parser.add_argument("--tissue", type=Path, required=True, help="tissue.png that find_tissue wrote")
    parser.add_argument("--method", choices=names(KIND), required=True, help="how touching nuclei are separated")
    parser.add_argument(
        "--settings", type=Path, nargs="+", required=True, help="postprocess.json of each fold, in native pixels"
    )
    parser.add_argument("--margin-px", type=int, required=True, help="working pixels seen around a block of nuclei")
    add_flags(parser, RegionSettings)
    parser.add_argument("--classes", type=Path, required=True, help="folder to write the class map into")
    parser.add_argument("--seams", type=Path, required=True, help="JSON to write: how visible the borders of tiles are")
    parser.add_argument("--nuclei", type=Path, required=True, help="folder to write tables of nuclei into")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
