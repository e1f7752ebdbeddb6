"""Write the page of a model's rounds of semi-ground truth, and draw what was accepted on some training images."""

import argparse
import json
from pathlib import Path

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import run
from histoloom.files import write_text
from histoloom.prepared import read_description, read_index
from histoloom.report.figures.augmentations import drawn_colours
from histoloom.report.figures.rounds import NOTE, draw_rounds
from histoloom.report.figures.style import save_tissue
from histoloom.report.rounds_page import (
    by_round,
    fold_of,
    fold_rounds,
    most_accepted_first,
    rounds_page,
    row_of,
    spread,
)
from histoloom.rounds.acceptance import Rule
from histoloom.rounds.round_files import mask_files

TEMPLATE = Path(__file__).resolve().parents[1] / "workflow" / "report" / "rounds.html.j2"


def main() -> None:
    args = parse()
    description = read_description(args.dataset)
    index = {row.name: row for row in read_index(args.index)}
    last = args.round_masks[-1]
    names = spread(most_accepted_first([name for name, _ in mask_files(last)], last), args.examples)
    rows = [row_of(index[name], args.round_masks) for name in names]
    title = f"{args.architecture} on {description.name}: rounds of semi-ground truth"
    figure = draw_rounds(rows, description.classes)
    save_tissue(figure, args.figure, drawn_colours(len(description.classes)), f"{title}. {NOTE}")
    drifts, histories = by_round(args.drift), by_round(args.history)
    verdicts = {fold_of(path): json.loads(path.read_text(encoding="utf-8")) for path in args.verdict}
    folds = [fold_rounds(fold, told, drifts.get(fold, {}), histories[fold]) for fold, told in verdicts.items()]
    settings = vars(settings_among(args, Rule)) | {name: getattr(args, name) for name in ("parts", "draws", "weight")}
    told = [(name.replace("_", " "), f"{value:g}") for name, value in settings.items()]
    alt = f"{', '.join(names)}: image, what people drew, and what each round accepted"
    write_text(args.html, rounds_page(TEMPLATE, title, told, folds, args.figure.read_bytes(), alt))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--architecture", required=True, metavar="NAME", help="architecture that was trained")
    add("--index", type=Path, required=True, metavar="CSV", help="index.csv of the prepared dataset")
    add("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    add("--verdict", type=Path, nargs="+", required=True, metavar="JSON", help="last verdict of each fold")
    add("--drift", type=Path, nargs="+", required=True, metavar="CSV", help="fold<k>/rounds/round<r>/drift.csv")
    add("--history", type=Path, nargs="+", required=True, metavar="CSV", help="fold<k>/rounds/round<r>/history.csv")
    add("--round-masks", type=Path, nargs="+", required=True, metavar="DIR", help="masks of one fold's rounds, from 1")
    add_flags(parser, Rule)
    add("--parts", type=int, required=True, metavar="N", help="parts of the training images")
    add("--draws", type=int, required=True, metavar="N", help="times that the parts were drawn")
    add("--weight", type=float, required=True, metavar="W", help="weight of an accepted pixel in the loss")
    add("--examples", type=int, required=True, metavar="N", help="images to draw")
    add("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    add("--html", type=Path, required=True, metavar="HTML", help="page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
