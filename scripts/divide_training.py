"""Divide a fold's training images into parts, each to be predicted by models that have not seen it."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_table
from histoloom.prepare.duplicates.pairs import read_duplicates
from histoloom.prepared import read_description, read_index
from histoloom.rounds.parts import PART_COLUMNS, divided, members_of
from histoloom.split.folds.clusters import check_known
from histoloom.split.folds.strata import STRATIFY, read_class_pixels


def main() -> None:
    args = parse()
    index, description = read_index(args.index), read_description(args.dataset)
    pixels = read_class_pixels(args.measures, len(description.classes), index)
    duplicates = read_duplicates(args.duplicates, description.name)
    check_known(index, duplicates)
    if args.near_duplicates == "warn":  # who chose this has looked: they are pictures of their own
        duplicates = [pair for pair in duplicates if pair.kind != "near"]
    members = members_of(args.folds, args.fold)
    division = divided(members, index, args.parts, args.draws, args.seed, pixels, args.stratify, duplicates)
    write_table(args.table, PART_COLUMNS, division.rows())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--index", type=Path, required=True, metavar="CSV", help="index.csv of the prepared dataset")
    add("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its name and classes")
    add("--measures", type=Path, required=True, metavar="CSV", help="what inspection measured in each image")
    add("--duplicates", type=Path, required=True, metavar="CSV", help="images that show one picture")
    add("--folds", type=Path, required=True, metavar="CSV", help="folds.csv: which image is in which part")
    add("--fold", type=int, required=True, metavar="N", help="number of the fold, from 0")
    add("--parts", type=int, required=True, metavar="N", help="parts of the training images")
    add("--draws", type=int, required=True, metavar="N", help="times that the parts are drawn")
    add("--stratify", nargs="*", choices=STRATIFY, default=[], help="what every part gets its share of")
    add(
        "--near-duplicates",
        choices=("stop", "join", "warn"),
        default="stop",
        help="as in splitting; warn: near ones are no twins, which otherwise lie in one part",
    )
    add("--seed", type=int, required=True, metavar="N", help="number that the draws hang on")
    add("--table", type=Path, required=True, metavar="CSV", help="parts.csv to write, in the form of folds.csv")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
