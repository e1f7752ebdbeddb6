"""Draw the confusion matrix of one architecture on one dataset."""

import argparse
from itertools import chain
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.prepared import read_description, read_table
from histoloom.report.figures.confusion import draw_confusion, pixel_counts
from histoloom.report.figures.style import save


def main() -> None:
    arguments = parse()
    classes = read_description(arguments.dataset).classes
    rows = list(chain.from_iterable(read_table(path) for path in arguments.counts))
    architectures = sorted({row["architecture"] for row in rows})
    if len(architectures) != 1:
        raise InputError(f"{arguments.counts[0]}: counts of {architectures}; expected those of one architecture")
    figure = draw_confusion(pixel_counts(rows, len(classes)), classes, architectures[0])
    save(figure, arguments.figure)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--counts", type=Path, nargs="+", required=True, metavar="CSV", help="counts of all folds of one architecture"
    )
    parser.add_argument("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
