"""Count, image by image, what a fold's predictions got right: pixels by class, and paired nuclei."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.evaluate.counts import COLUMNS
from histoloom.evaluate.evaluation import count_image, read_nucleus_classes
from histoloom.files import write_table
from histoloom.prepared import part_rows, read_description


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="CSV of the prepared images.")
    parser.add_argument("--dataset", type=Path, required=True, help="JSON that describes the prepared dataset.")
    parser.add_argument("--folds", type=Path, required=True, help="CSV that says which image is in which part.")
    parser.add_argument("--fold", type=int, required=True, help="Number of the fold, from 0.")
    parser.add_argument("--part", required=True, choices=("train", "val", "test"), help="Part that is evaluated.")
    parser.add_argument("--dataset-name", required=True, help="Name of the dataset in the config.")
    parser.add_argument("--architecture", required=True, help="Name of the architecture or baseline in the config.")
    parser.add_argument("--regions", type=Path, required=True, help="Folder of predicted class masks.")
    parser.add_argument("--nuclei", type=Path, required=True, help="Folder of predicted nuclei.")
    parser.add_argument("--nuclei-table", type=Path, required=True, help="CSV with the class of each nucleus.")
    parser.add_argument("--counts", type=Path, required=True, help="CSV of counts to write.")
    arguments = parser.parse_args()

    classes = read_description(arguments.dataset).classes
    nucleus_classes = read_nucleus_classes(arguments.nuclei_table, classes)
    prediction = (arguments.dataset_name, arguments.architecture, arguments.fold)
    rows = (
        (*prediction, row.name, row.group, row.stratum, *count)
        for row in part_rows(arguments.index, arguments.folds, arguments.fold, arguments.part)
        for count in count_image(
            row, arguments.regions, arguments.nuclei, nucleus_classes.get(row.name, {}), len(classes)
        )
    )
    write_table(arguments.counts, COLUMNS, rows)


if __name__ == "__main__":
    run(main)
