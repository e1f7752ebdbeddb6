"""Draw the score of each architecture of a dataset against its time, memory and number of parameters."""

import argparse
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.evaluate.direction import is_lower_better
from histoloom.prepared import read_table
from histoloom.report.figures.pareto import description, draw_pareto, priced
from histoloom.report.figures.style import save


def main() -> None:
    arguments = parse()
    metric, class_name = arguments.metric, arguments.class_name
    summary, costs = read_table(arguments.summary), read_table(arguments.costs)
    if not any((row["metric"], row["class"]) == (metric, class_name) for row in summary):
        raise InputError(
            f"{arguments.summary}: no {metric} of class '{class_name}'; expected a metric and a class that it holds; "
            "choose another"
        )
    points = priced(summary, costs, metric, class_name)
    devices = sorted({row["device"] for row in costs if row["device"]})
    score = f"{metric} ({class_name})"
    figure = draw_pareto(points, score, is_lower_better(metric), devices)
    save(figure, arguments.figure, arguments.pdf, description(points, score, is_lower_better(metric)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary", type=Path, required=True, metavar="CSV", help="means and intervals")
    parser.add_argument("--costs", type=Path, required=True, metavar="CSV", help="costs of each architecture")
    parser.add_argument("--metric", required=True, help="the score, as named in the summary")
    parser.add_argument("--class", dest="class_name", required=True, help="class of the score, such as mean")
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    parser.add_argument("--pdf", type=Path, metavar="PDF", help="the same figure for print")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
