"""Look for images that come twice, within a dataset or across several: identical, flipped, turned or altered."""

import argparse
from dataclasses import astuple
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_table
from histoloom.prepare.duplicates.pairs import DUPLICATE_COLUMNS
from histoloom.prepare.duplicates.search import Picture, find_duplicates
from histoloom.prepared import read_description, read_index
from histoloom.progress import progress_bar


def main() -> None:
    arguments = parse()
    pictures = [picture for index in arguments.index for picture in read_pictures(index)]
    with progress_bar("duplicates", "images") as progress:
        pairs = find_duplicates(pictures, progress)
    write_table(arguments.duplicates, DUPLICATE_COLUMNS, map(astuple, pairs))


def read_pictures(index: Path) -> list[Picture]:
    name = read_description(index.parent / "dataset.json").name
    return [Picture(name, row) for row in read_index(index)]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--index",
        type=Path,
        nargs="+",
        required=True,
        help="Tables of prepared images (CSV), dataset.json beside each.",
    )
    parser.add_argument("--duplicates", type=Path, required=True, help="Table of pairs to write (CSV).")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
