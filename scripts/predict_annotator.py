"""Write what a second annotator drew of the images of one part of a fold, in the form that post-processing writes."""

import argparse
from pathlib import Path

from tqdm import tqdm

from histoloom.errors import run
from histoloom.files import atomic_folder, write_table
from histoloom.formats.images import write_image, write_instances
from histoloom.predict.second_annotator import check_ceiling, nuclei_of, read_annotation, regions_of
from histoloom.prepared import PARTS, part_rows, read_description, read_index

COLUMNS = ("name", "id", "class", "row", "column", "area_px", "mean_probability")  # the last is empty: nobody said


def main() -> None:
    args = parse()
    description = read_description(args.dataset)
    # All images of the dataset, not of this part alone: a fold's score must not depend on which images others have.
    check_ceiling(description, read_index(args.index))
    table = []
    with atomic_folder(args.regions) as regions, atomic_folder(args.nuclei) as folder:
        rows = part_rows(args.index, args.folds, args.fold, args.part)
        for row in tqdm(rows, desc="annotator", unit="image", disable=None):
            nuclei = read_annotation(row)
            write_image(regions / f"{row.name}.png", regions_of(nuclei))
            write_instances(folder / f"{row.name}.png", nuclei)
            for nucleus in nuclei_of(nuclei):
                place = (round(nucleus.row, 2), round(nucleus.column, 2))
                name = description.classes[nucleus.class_index]
                table.append((row.name, nucleus.number, name, *place, nucleus.area_px, None))
    write_table(args.nuclei_table, COLUMNS, table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset.json of the prepared dataset")
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv: which image is in which part")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold, from 0")
    parser.add_argument("--part", choices=PARTS, required=True, help="part of the fold to write")
    parser.add_argument("--regions", type=Path, required=True, help="folder to write class maps <name>.png into")
    parser.add_argument("--nuclei", type=Path, required=True, help="folder to write nucleus ids <name>.png into")
    parser.add_argument("--nuclei-table", type=Path, required=True, help="CSV to write one row for each nucleus into")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
