"""Write what was found on a slide as files for other programs: OME-TIFF, GeoJSON for QuPath, and a table of areas."""

import argparse
import json
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.files import write_table
from histoloom.formats.geojson import write_features
from histoloom.formats.ome_tiff import write_ome_tiff
from histoloom.slides.band_store import BandStore
from histoloom.slides.class_colours import colours_of
from histoloom.slides.export.areas import area_table, count_nuclei, count_pixels
from histoloom.slides.export.qupath_objects import Origin, nucleus_features, region_features
from histoloom.slides.export.regions_vectors import regions_of
from histoloom.slides.nuclei.table import read_tables
from histoloom.slides.slide_facts import read_slide_facts, tissue_on


def main() -> None:
    args = parse()
    classes, slide = BandStore.open(args.classes), read_slide_facts(args.slide_json)
    grid, names = classes.grid, tuple(classes.grid.facts["classes"])
    colours, tolerance_px = colours_of(names), args.simplify_um / grid.mpp
    write_ome_tiff(args.class_map, classes.rows, grid.height, grid.width, names[1:], colours[1:], grid.mpp, "classes")
    factor = grid.mpp / slide["mpp"]
    origin = Origin(slide["name"], args.model_name, names, grid.height, grid.width, grid.mpp, factor)
    about = {"slide": origin.slide, "model": origin.model, "mpp": slide["mpp"], "simplified_um": args.simplify_um}
    write_features(args.regions, about, region_features(regions_of(classes), origin, tolerance_px))
    write_features(args.nuclei_outlines, about, nucleus_features(read_tables(args.nuclei), origin, tolerance_px))

    tissue = tissue_on(grid, args.tissue, slide)
    seams = json.loads(args.seams.read_text(encoding="utf-8"))["seam_index"]
    pixels = count_pixels(classes, tissue, len(names))
    nuclei = count_nuclei(read_tables(args.nuclei), classes, len(names))
    write_table(args.areas, *area_table(origin.slide, origin.model, names, grid.mpp, pixels, nuclei, seams))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--classes", type=Path, required=True, help="folder of the slide's class map (postprocess)")
    parser.add_argument("--nuclei", type=Path, required=True, help="folder of the slide's nuclei tables")
    parser.add_argument("--slide-json", type=Path, required=True, help="slide.json that find_tissue wrote")
    parser.add_argument("--tissue", type=Path, required=True, help="tissue.png that find_tissue wrote")
    parser.add_argument("--seams", type=Path, required=True, help="seams.json that postprocess_slide wrote")
    parser.add_argument("--model-name", required=True, help="what the objects in QuPath are marked with")
    parser.add_argument("--simplify-um", type=float, required=True, help="outlines may move by so much; 0 is exact, µm")
    parser.add_argument("--class-map", type=Path, required=True, help="OME-TIFF of classes to write")
    parser.add_argument("--regions", type=Path, required=True, help="GeoJSON of regions to write, .geojson.gz")
    parser.add_argument("--nuclei-outlines", type=Path, required=True, help="GeoJSON of nuclei to write, .geojson.gz")
    parser.add_argument("--areas", type=Path, required=True, help="CSV of areas and densities to write")
    args = parser.parse_args()
    if not args.simplify_um >= 0:
        raise InputError(f"--simplify-um: {args.simplify_um}; expected 0 or more; mend slides: simplify_um")
    return args


if __name__ == "__main__":
    run(main)
