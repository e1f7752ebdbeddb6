"""Draw the confusion matrix of one architecture on one dataset."""

import argparse
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.evaluate.counting.facts import CONFUSION
from histoloom.evaluate.counting.stored_counts import read_counts
from histoloom.prepared import read_description
from histoloom.report.figures.confusion import draw_confusion, pixel_counts
from histoloom.report.figures.style import save


def main() -> None:
    arguments = parse()
    classes = read_description(arguments.dataset).classes
    counts = read_counts(arguments.counts, len(classes), [CONFUSION])
    if len(counts) != 1:
        found = ", ".join(one.architecture for one in counts)
        raise InputError(f"{arguments.counts[0]}: counts of {found}; expected those of one architecture")
    pixels = pixel_counts(list(counts[0].images["name"]), counts[0].facts[CONFUSION])
    save(draw_confusion(pixels, classes, counts[0].architecture), arguments.figure, arguments.pdf)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--counts", type=Path, nargs="+", required=True, metavar="NPZ", help="counts of all folds of one architecture"
    )
    parser.add_argument("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    parser.add_argument("--pdf", type=Path, metavar="PDF", help="the same figure for print, to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
