"""Measure mean and standard deviation of each colour channel over the training images of a fold."""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

from histoloom.errors import run
from histoloom.files import write_json
from histoloom.prepared import part_names
from histoloom.split.standardisation import channel_statistics


def main() -> None:
    arguments = parse_arguments()
    names = part_names(arguments.folds, arguments.fold, "train")
    pixels = np.load(arguments.images, mmap_mode="r")
    write_json(arguments.statistics, asdict(channel_statistics(pixels, arguments.image_table, names)))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--image-table", type=Path, required=True, help="images.csv of the tiles: where each image is")
    parser.add_argument("--images", type=Path, required=True, help="images.npy of the tiles: (pixels, 3) uint8 RGB")
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv: which image is in which part")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold, from 0")
    parser.add_argument("--statistics", type=Path, required=True, help="JSON to write: mean, sd (0 to 1), pixels")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
