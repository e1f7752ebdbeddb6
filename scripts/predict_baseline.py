"""Predict the images of one part of a fold by a baseline that learns nothing, in the form that models predict."""

import argparse
from pathlib import Path

from tqdm import tqdm

from histoloom import plugins
from histoloom.errors import run
from histoloom.files import atomic_folder
from histoloom.formats.arrays import save_array
from histoloom.formats.images import read_image, read_mask
from histoloom.predict.class_frequency import most_frequent_foreground
from histoloom.predict.probabilities import quantised
from histoloom.prepared import PARTS, part_rows, read_description


def main() -> None:
    args = parse()
    predict = plugins.load("baselines", args.baseline)
    class_count = len(read_description(args.dataset).classes)
    options = {}
    if "foreground_class" in plugins.options("baselines", args.baseline):
        masks = (read_mask(row.mask) for row in part_rows(args.index, args.folds, args.fold, "train"))
        options["foreground_class"] = most_frequent_foreground(masks, class_count)
    with atomic_folder(args.probabilities) as folder, atomic_folder(args.maps):
        rows = part_rows(args.index, args.folds, args.fold, args.part)
        for row in tqdm(rows, desc="predict", unit="image", disable=None):
            probabilities = predict(read_image(row.image), class_count, **options)
            save_array(folder / f"{row.name}.npy", quantised(probabilities))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", required=True, help="name of a file in scripts/histoloom/baselines")
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset.json of the prepared dataset")
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv: which image is in which part")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold, from 0")
    parser.add_argument("--part", choices=PARTS, required=True, help="part of the fold to predict")
    parser.add_argument("--probabilities", type=Path, required=True, help="folder to write <name>.npy into")
    parser.add_argument("--maps", type=Path, required=True, help="folder to write, empty: baselines have no such maps")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
