"""Draw the worst, median and best images of one architecture, and list which they are."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_table
from histoloom.prepared import read_description, read_index
from histoloom.report.examples.choice import COLUMNS, Ranking, chosen, description, table_rows
from histoloom.report.examples.example_files import predictions_of, read_example
from histoloom.report.figures.examples import draw_examples, drawn_colours
from histoloom.report.figures.style import save_tissue


def main() -> None:
    args = parse()
    ranking = Ranking(args.architecture, args.metric, args.class_name)
    choices, rule = chosen(args.scores, ranking, args.count)
    classes = read_description(args.dataset).classes
    predictions = predictions_of(args.regions, args.nuclei, args.nuclei_table, classes)
    images = {row.name: row for row in read_index(args.index)}
    examples = [read_example(choice, images[choice.name], predictions) for choice in choices]
    figure = draw_examples(examples, classes, ranking.score_name, rule)
    words = description(choices, ranking.score_name)
    save_tissue(figure, args.figure, drawn_colours(len(classes)), words, args.pdf)
    write_table(args.table, COLUMNS, table_rows(choices, ranking))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--scores", type=Path, required=True, metavar="CSV", help="scores of every image")
    add("--architecture", required=True, metavar="NAME", help="architecture whose images to show")
    add("--metric", required=True, metavar="NAME", help="metric that orders the images")
    add("--class", dest="class_name", required=True, metavar="NAME", help="class whose score orders the images")
    add("--index", type=Path, required=True, metavar="CSV", help="index of the prepared images")
    add("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    add("--regions", type=Path, nargs="+", required=True, metavar="DIR", help="predicted masks: fold<k>/<folder>")
    add("--nuclei", type=Path, nargs="*", default=[], metavar="DIR", help="predicted nuclei: fold<k>/<folder>")
    add("--nuclei-table", type=Path, nargs="*", default=[], metavar="CSV", help="their classes: fold<k>/<table>")
    add("--count", type=int, required=True, metavar="N", help="images of each rank, a whole number")
    add("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    add("--pdf", type=Path, metavar="PDF", help="the same figure for print, to write")
    add("--table", type=Path, required=True, metavar="CSV", help="list of the images shown, to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
