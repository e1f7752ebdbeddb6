"""Draw how far the predicted probabilities of one dataset can be believed: every architecture, every class."""

import argparse
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.evaluate.counting.stored_counts import read_counts
from histoloom.prepared import read_description
from histoloom.report.figures.reliability import description, draw_reliability, image_sum
from histoloom.report.figures.style import save


def main() -> None:
    args = parse()
    classes = read_description(args.dataset).classes
    counts = read_counts(args.counts, len(classes), ["probabilities"])
    probabilities = {each.architecture: image_sum(each) for each in counts if "probabilities" in each.facts}
    given = {name: histogram for name, histogram in probabilities.items() if histogram.any()}
    if not given:
        raise InputError(
            f"{args.counts[0]}: no probabilities are counted; expected those of one architecture or more; "
            "name a metric of probabilities, such as ece, in evaluate.metrics"
        )
    figure = draw_reliability(given, classes, f"{counts[0].dataset}: reliability of probabilities")
    save(figure, args.figure, args.pdf, description(given, classes))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--counts", type=Path, nargs="+", required=True, metavar="NPZ", help="counts of all folds and architectures"
    )
    parser.add_argument("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    parser.add_argument("--pdf", type=Path, metavar="PDF", help="the same for print; none where it is not given")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
