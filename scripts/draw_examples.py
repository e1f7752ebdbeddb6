"""Draw the worst, median and best images of one architecture, and list which they are."""

import argparse
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.files import write_table
from histoloom.formats.images import read_image, read_mask
from histoloom.prepared import IndexRow, read_description, read_index, read_table
from histoloom.report.figures.examples import Choice, Example, choose, description, draw_examples, drawn_colours
from histoloom.report.figures.style import save_tissue


def main() -> None:
    arguments = parse()
    choices = choose(read_scores(arguments), arguments.count)
    if not choices:
        raise InputError(
            f"{arguments.scores}: no image has a defined {arguments.metric} of '{arguments.class_name}' for "
            f"{arguments.architecture}; expected at least one; choose another metric or class for the examples"
        )
    images = {row.name: row for row in read_index(arguments.index)}
    examples = [read_example(choice, images[choice.name], arguments.regions) for choice in choices]
    metric = f"{arguments.metric} ({arguments.class_name})"
    classes = read_description(arguments.dataset).classes
    figure = draw_examples(examples, classes, metric)
    save_tissue(figure, arguments.figure, drawn_colours(len(classes)), description(choices, metric))
    rows = [(one.rank, one.name, " ".join(map(str, one.folds)), arguments.metric, repr(one.score)) for one in choices]
    write_table(arguments.table, ("rank", "name", "folds", "metric", "score"), rows)


def read_scores(arguments: argparse.Namespace) -> list[tuple[str, int, float]]:
    wanted = (arguments.architecture, arguments.metric, arguments.class_name)
    return [
        (row["name"], int(row["fold"]), float(row["score"] or "nan"))
        for row in read_table(arguments.scores)
        if (row["architecture"], row["metric"], row["class"]) == wanted
    ]


def read_example(choice: Choice, row: IndexRow, regions: list[Path]) -> Example:
    predicted = read_mask(regions[choice.fold] / f"{choice.name}.png")
    return Example(choice, read_image(row.image), read_mask(row.mask), predicted)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, required=True, metavar="CSV", help="scores of every image")
    parser.add_argument("--architecture", required=True, metavar="NAME", help="architecture whose images to show")
    parser.add_argument("--metric", required=True, metavar="NAME", help="metric that orders the images")
    parser.add_argument(
        "--class", dest="class_name", required=True, metavar="NAME", help="class whose score orders the images"
    )
    parser.add_argument("--index", type=Path, required=True, metavar="CSV", help="index of the prepared images")
    parser.add_argument("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    parser.add_argument(
        "--regions", type=Path, nargs="+", required=True, metavar="DIR", help="predicted masks, one folder per fold"
    )
    parser.add_argument("--count", type=int, required=True, metavar="N", help="images of each rank, a whole number")
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    parser.add_argument("--table", type=Path, required=True, metavar="CSV", help="list of the images shown, to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
