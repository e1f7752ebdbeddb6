"""Draw the mean ranks of a dataset's models, and which of them cannot be told apart."""

import argparse
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.prepared import read_table
from histoloom.report.figures.ranks import description, draw_ranks, ranked_models
from histoloom.report.figures.style import save


def main() -> None:
    arguments = parse()
    chosen = (arguments.metric, arguments.class_name)
    rows = [row for row in read_table(arguments.ranking) if (row["metric"], row["class"]) == chosen]
    if not rows:
        raise InputError(
            f"{arguments.ranking}: no {chosen[0]} of class '{chosen[1]}'; expected a metric and a class that it holds; "
            "choose another"
        )
    distance, groups = float(rows[0]["critical_difference"] or "nan"), int(rows[0]["groups"])
    models, score = ranked_models(rows, *chosen), f"{chosen[0]} ({chosen[1]})"
    words = description(models, distance, score) if len(models) > 1 else ""
    save(draw_ranks(models, distance, groups, score), arguments.figure, arguments.pdf, words)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranking", type=Path, required=True, metavar="CSV", help="mean ranks of the models")
    parser.add_argument("--metric", required=True, help="the score, as named in the ranking")
    parser.add_argument("--class", dest="class_name", required=True, help="class of the score, such as mean")
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    parser.add_argument("--pdf", type=Path, metavar="PDF", help="the same figure for print")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
