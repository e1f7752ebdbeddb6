"""Share the images of a prepared dataset out among folds and parts, and refuse leaks."""

import argparse
from dataclasses import astuple
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_table
from histoloom.prepared import read_index
from histoloom.split.splits import FOLD_COLUMNS, check_leaks, split_grouped, split_official


def main() -> None:
    arguments = parse_arguments()
    index = read_index(arguments.index)
    if arguments.scheme == "official":
        members = split_official(index, arguments.fold_count)
    else:
        members = split_grouped(
            index, arguments.fold_count, arguments.validation, arguments.validation_fraction, arguments.seed
        )
    check_leaks(members, index)
    write_table(arguments.folds, FOLD_COLUMNS, map(astuple, members))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument(
        "--scheme", choices=("grouped", "official"), required=True, help="by group, or PanNuke's official rotation"
    )
    parser.add_argument("--fold-count", type=int, required=True, help="number of folds (official: at most 3)")
    parser.add_argument(
        "--validation", choices=("groups", "images"), required=True, help="what validation holds out (grouped only)"
    )
    parser.add_argument(
        "--validation-fraction", type=float, required=True, help="share of images, 0 to 1, with --validation images"
    )
    parser.add_argument("--seed", type=int, required=True, help="number that the shares are drawn from")
    parser.add_argument("--folds", type=Path, required=True, help="table to write: fold,part,name,group")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
