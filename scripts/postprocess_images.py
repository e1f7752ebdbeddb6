"""Turn predictions into class regions and single nuclei, and list the nuclei in a table."""

import argparse
from pathlib import Path

from tqdm import tqdm

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import run
from histoloom.files import atomic_folder, write_table
from histoloom.formats.images import write_image, write_instances
from histoloom.plugins import load, names
from histoloom.predict.postprocess import describe_nuclei, without_small
from histoloom.predict.probabilities import read_maps, read_probabilities
from histoloom.predict.regions.class_map import class_regions
from histoloom.predict.regions.settings import RegionSettings, plan_regions
from histoloom.predict.thresholds import KIND, read_thresholds
from histoloom.prepared import read_description, read_index

COLUMNS = ("name", "id", "class", "row", "column", "area_px", "mean_probability")


def main() -> None:
    args = parse()
    classes, mpp = read_description(args.dataset).classes, {row.name: row.mpp for row in read_index(args.index)}
    method, settings = load(KIND, args.method), read_thresholds(args.settings, args.method)
    region_settings = settings_among(args, RegionSettings)
    table = []
    with atomic_folder(args.regions) as regions_folder, atomic_folder(args.nuclei) as nuclei_folder:
        for path in tqdm(sorted(args.probabilities.glob("*.npy")), desc="postprocess", unit="image", disable=None):
            probabilities = read_probabilities(path, len(classes))
            found = method(probabilities, read_maps(args.maps, path.stem), **settings.options)
            nuclei = without_small(found, settings.min_area_px)
            plan = plan_regions(region_settings, mpp[path.stem], settings.min_area_px, path.stem)
            write_image(regions_folder / f"{path.stem}.png", class_regions(probabilities, plan))
            write_instances(nuclei_folder / f"{path.stem}.png", nuclei)
            for nucleus in describe_nuclei(nuclei, probabilities):
                place = (round(nucleus.row, 2), round(nucleus.column, 2))
                mean = round(nucleus.mean_probability, 4)
                table.append((path.stem, nucleus.number, classes[nucleus.class_index], *place, nucleus.area_px, mean))
    write_table(args.nuclei_table, COLUMNS, table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probabilities", type=Path, required=True, help="folder of <name>.npy that predict wrote")
    parser.add_argument("--maps", type=Path, required=True, help="folder of instance maps <name>.npy, or an empty one")
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset.json of the prepared dataset")
    parser.add_argument("--method", choices=names(KIND), required=True, help="how touching nuclei are separated")
    parser.add_argument("--settings", type=Path, required=True, help="postprocess.json that tune_postprocess wrote")
    add_flags(parser, RegionSettings)
    parser.add_argument("--regions", type=Path, required=True, help="folder to write class maps <name>.png into")
    parser.add_argument("--nuclei", type=Path, required=True, help="folder to write nucleus ids <name>.png into")
    parser.add_argument("--nuclei-table", type=Path, required=True, help="CSV to write one row for each nucleus into")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
