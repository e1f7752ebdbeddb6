"""Draw the same images by truth and by all models: those on which the best model is worst, in the middle and best."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from histoloom.errors import run
from histoloom.files import write_table
from histoloom.prepared import IndexRow, read_description, read_index, read_table
from histoloom.report.examples.choice import Choice, Ranking, by_name, chosen_of, leader, scores_of_models
from histoloom.report.examples.example_files import Predictions, predictions_of, read_example
from histoloom.report.figures.examples import drawn_colours
from histoloom.report.figures.models_sheet import TABLE_COLUMNS, Compared, description, draw_models_sheet, table_rows
from histoloom.report.figures.style import save_tissue


def main() -> None:
    args = parse()
    classes = read_description(args.dataset).classes
    models = list(dict.fromkeys(path.parts[-3] for path in args.regions))
    best = leader(read_table(args.summary), args.metric, args.class_name, models)
    ranking = Ranking(best, args.metric, args.class_name)
    of_models = scores_of_models(args.scores, args.metric, args.class_name, models)
    choices, rule = chosen_of(of_models[best], ranking, args.count, args.scores)
    scores = {model: by_name(each) for model, each in of_models.items()}
    predictions = {model: predictions_by(model, args, classes) for model in models}
    images = {row.name: row for row in read_index(args.index)}
    compared = [read_compared(choice, images[choice.name], predictions, scores) for choice in choices]
    figure = draw_models_sheet(compared, classes, ranking.score_name, best, rule)
    words = description(compared, ranking.score_name)
    save_tissue(figure, args.figure, drawn_colours(len(classes)), words, args.pdf)
    write_table(args.table, TABLE_COLUMNS, table_rows(compared, ranking.score_name))


def predictions_by(model: str, args: argparse.Namespace, classes: Sequence[str]) -> Predictions:
    of_model = (
        [path for path in paths if path.parts[-3] == model] for paths in (args.regions, args.nuclei, args.nuclei_table)
    )
    return predictions_of(*of_model, classes)


def read_compared(
    choice: Choice, row: IndexRow, predictions: dict[str, Predictions], scores: dict[str, dict[str, dict[int, float]]]
) -> Compared:
    examples = {model: read_example(choice, row, predictions[model]) for model in predictions}
    first = next(iter(examples.values()))
    means = {model: fmean(scores[model].get(choice.name, {0: float("nan")}).values()) for model in predictions}
    predicted = {model: example.predicted for model, example in examples.items()}
    return Compared(choice, first.image, first.truth, predicted, means, row.mpp)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, metavar="CSV", help="summary, which says which model is best")
    add("--scores", type=Path, required=True, metavar="CSV", help="scores of every image")
    add("--metric", required=True, metavar="NAME", help="metric that finds the best model and orders the images")
    add("--class", dest="class_name", required=True, metavar="NAME", help="class whose score does so")
    add("--index", type=Path, required=True, metavar="CSV", help="index of the prepared images")
    add("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    add("--regions", type=Path, nargs="+", required=True, metavar="DIR", help="masks: <architecture>/fold<k>/<folder>")
    add("--nuclei", type=Path, nargs="*", default=[], metavar="DIR", help="nuclei: <architecture>/fold<k>/<folder>")
    add("--nuclei-table", type=Path, nargs="*", default=[], metavar="CSV", help="their classes, with such paths too")
    add("--count", type=int, required=True, metavar="N", help="images of each rank, a whole number")
    add("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    add("--pdf", type=Path, metavar="PDF", help="the same figure for print, to write")
    add("--table", type=Path, required=True, metavar="CSV", help="scores of the images shown, to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
