"""Draw what a search for values of training found: scores of all trials, importances, and parallel coordinates."""

import argparse
import json
from pathlib import Path

from histoloom.errors import run
from histoloom.prepared import read_table
from histoloom.report.figures.style import save
from histoloom.report.figures.tuning import description, draw_tuning
from histoloom.tune.space import read_space


def main() -> None:
    arguments = parse()
    trials, importances, gain = (read_table(path) for path in (arguments.trials, arguments.importances, arguments.gain))
    figure = draw_tuning(trials, importances, gain, read_space(arguments.space), arguments.score)
    save(figure, arguments.figure, arguments.pdf, description(trials, gain, arguments.score))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--trials", type=Path, required=True, metavar="CSV", help="all trials")
    parser.add_argument("--importances", type=Path, required=True, metavar="CSV", help="importance of each value")
    parser.add_argument("--gain", type=Path, required=True, metavar="CSV", help="best trial against the config's own")
    parser.add_argument("--space", type=json.loads, required=True, metavar="JSON", help="what was sought")
    parser.add_argument("--score", required=True, help="what is scored, and on what")
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    parser.add_argument("--pdf", type=Path, metavar="PDF", help="the same figure for print")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
