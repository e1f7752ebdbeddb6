"""Draw the scores of a dataset's models by stratum, such as the tissue, where it has some."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.evaluate.direction import is_lower_better
from histoloom.files import atomic_folder
from histoloom.prepared import read_table
from histoloom.report.figures.strata import description, draw_strata, read_strata
from histoloom.report.figures.style import save


def main() -> None:
    arguments = parse()
    strata = read_strata(read_table(arguments.strata), arguments.metric, arguments.class_name)
    with atomic_folder(arguments.figures) as folder:
        if not strata:
            print(f"{arguments.strata}: no strata, nothing to draw")
            return
        score = f"{arguments.metric} ({arguments.class_name})"
        figure = draw_strata(strata, score, is_lower_better(arguments.metric))
        save(figure, folder / "strata.png", folder / "strata.pdf", description(strata, score))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", type=Path, required=True, metavar="CSV", help="means of each stratum")
    parser.add_argument("--metric", required=True, help="the score, as named in the table")
    parser.add_argument("--class", dest="class_name", required=True, help="class of the score, such as mean")
    parser.add_argument("--figures", type=Path, required=True, metavar="DIR", help="folder for strata.png and .pdf")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
