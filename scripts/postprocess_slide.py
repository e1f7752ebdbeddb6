"""Turn the prediction of a slide into its class map and its nuclei, band by band."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import run
from histoloom.files import atomic_folder, write_json
from histoloom.plugins import names
from histoloom.predict.regions.settings import RegionSettings, plan_regions
from histoloom.predict.thresholds import KIND
from histoloom.slides.band_store import BandStore
from histoloom.slides.nuclei.blocks import nuclei_of_slide
from histoloom.slides.nuclei.table import write_tables
from histoloom.slides.postprocessing import seam_index_of, thresholds_of, write_class_map
from histoloom.slides.slide_facts import read_slide_facts, tissue_on


def main() -> None:
    args = parse()
    predicted = BandStore.open(args.prediction_probabilities)
    grid, method = predicted.grid, args.method
    maps = BandStore.open(args.prediction_maps).rows if BandStore.is_at(args.prediction_maps) else None
    tissue = tissue_on(grid, args.tissue, read_slide_facts(args.slide_json))
    thresholds = thresholds_of(grid, args.settings, method)
    sizes = {"min_area_px": thresholds.min_area_px, "margin_px": args.margin_px}
    plan = plan_regions(settings_among(args, RegionSettings), grid.mpp, thresholds.min_area_px, grid.facts["slide"])
    write_json(args.seams, {"seam_index": seam_index_of(predicted, tissue)})
    with atomic_folder(args.classes) as folder, atomic_folder(args.nuclei) as nuclei_folder:
        with tqdm(total=grid.height, desc="regions", unit="row", disable=None) as progress:
            write_class_map(folder, predicted, tissue, plan, progress.update)
        shape = (grid.height, grid.width)
        found = nuclei_of_slide(predicted.rows, maps, shape, method, thresholds.options, **sizes)
        progress = tqdm(found, desc="nuclei", unit="row of blocks", disable=None)
        count, disputed = write_tables(nuclei_folder, iter(progress))
    if disputed:
        print(
            f"warning: {grid.facts['slide']}: of {count} nuclei {disputed} are seen differently by two blocks; they "
            "are larger than a block's margin, and may be doubled, cut or missing",
            file=sys.stderr,
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    paths = {
        "prediction-probabilities": "folder of bands that predict_slide wrote",
        "prediction-maps": "folder of instance maps; maybe not there",
        "slide-json": "slide.json that find_tissue wrote",
        "tissue": "tissue.png that find_tissue wrote",
        "classes": "folder to write the class map into",
        "seams": "JSON to write: how visible the borders of tiles are",
        "nuclei": "folder to write tables of nuclei into",
    }
    for name, said in paths.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=said)
    add = parser.add_argument
    add("--settings", type=Path, nargs="+", required=True, help="postprocess.json of each fold, in native pixels")
    add("--method", choices=names(KIND), required=True, help="how touching nuclei are separated")
    add("--margin-px", type=int, required=True, help="working pixels seen around a block of nuclei")
    add_flags(parser, RegionSettings)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
