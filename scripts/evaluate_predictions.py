"""Count, image by image, what a fold's predictions got right: pixels by class, boundaries, probabilities, nuclei."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from histoloom.errors import InputError, run
from histoloom.evaluate.counting.facts import FACTS, NUCLEI
from histoloom.evaluate.counting.image_counts import (
    CountSettings,
    count_arrays,
    distance_unit,
    length_names,
    size_names,
)
from histoloom.evaluate.counting.predicted_files import read_nucleus_classes, read_prediction, read_truth
from histoloom.evaluate.counting.stored_counts import IMAGE_COLUMNS, Counts, write_counts
from histoloom.prepared import PARTS, IndexRow, part_rows, read_description, read_index


def main() -> None:
    args = parse()
    description = read_description(args.dataset)
    facts = [name for name in args.fact if description.has_instances or FACTS[name].needs != NUCLEI]
    unit = distance_unit([row.mpp for row in read_index(args.index)])
    rows = part_rows(args.index, args.folds, args.fold, args.part)
    nucleus_classes = read_nucleus_classes(args.nuclei_table, description.classes)
    counted = []
    for row in tqdm(rows, desc="evaluate", unit="image", disable=None):
        settings = CountSettings(
            unit, row.mpp, args.boundary_tolerance_um, args.detection_radius_um, tuple(args.nucleus_sizes_um2)
        )
        counted.append(counts_of(row, args, description.classes, nucleus_classes.get(row.name, {}), facts, settings))
    write_counts(
        args.counts,
        Counts(
            args.dataset_name,
            args.architecture,
            pd.DataFrame([(args.fold, row.name, row.group, row.stratum) for row in rows], columns=IMAGE_COLUMNS),
            {name: np.stack([each[name] for each in counted]) for name in counted[0]},
            unit,
            size_names(args.nucleus_sizes_um2, unit),
            length_names([args.boundary_tolerance_um, args.detection_radius_um], unit),
        ),
    )


def counts_of(
    row: IndexRow, args: argparse.Namespace, classes: tuple[str, ...], nuclei: dict, facts: list[str], settings: object
) -> dict[str, np.ndarray]:
    predicted = read_prediction(row, args.regions, args.nuclei, nuclei, args.probabilities, len(classes))
    try:
        return count_arrays(read_truth(row), predicted, len(classes), facts, settings)
    except ValueError as error:
        raise InputError(
            f"{args.regions / row.name}.png, {row.mask}: {error}; post-process again or prepare the dataset anew"
        ) from error


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--index", type=Path, required=True, help="CSV of the prepared images.")
    add("--dataset", type=Path, required=True, help="JSON that describes the prepared dataset.")
    add("--folds", type=Path, required=True, help="CSV that says which image is in which part.")
    add("--fold", type=int, required=True, help="Number of the fold, from 0.")
    add("--part", required=True, choices=PARTS, help="Part that is evaluated.")
    add("--dataset-name", required=True, help="Name of the dataset in the config.")
    add("--architecture", required=True, help="Name of the architecture or baseline in the config.")
    add("--regions", type=Path, required=True, help="Folder of predicted class masks.")
    add("--nuclei", type=Path, required=True, help="Folder of predicted nuclei.")
    add("--nuclei-table", type=Path, required=True, help="CSV with the class of each nucleus.")
    add("--probabilities", type=Path, nargs="?", help="Folder of predicted probabilities, for scores of them.")
    add("--fact", nargs="+", choices=FACTS, required=True, help="What is counted; scores are made of it.")
    add("--boundary-tolerance-um", type=float, required=True, help="Distance up to which a boundary is met.")
    add("--detection-radius-um", type=float, required=True, help="Distance up to which centroids are paired.")
    add("--nucleus-sizes-um2", type=float, nargs="*", default=[], help="Areas that part small from large nuclei.")
    add("--counts", type=Path, required=True, help=".npz of counts to write.")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
