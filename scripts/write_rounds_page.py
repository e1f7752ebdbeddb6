"""Write the page of a model's rounds of semi-ground truth, and draw what was accepted on some training images."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import run
from histoloom.files import write_text
from histoloom.formats.images import read_image, read_mask
from histoloom.prepared import IndexRow, read_description, read_index, read_table
from histoloom.report.figures.augmentations import drawn_colours
from histoloom.report.figures.rounds import NOTE, RoundsRow, draw_rounds
from histoloom.report.figures.style import save_tissue
from histoloom.report.rounds_page import fold_rounds, rounds_page
from histoloom.rounds.acceptance import Rule
from histoloom.rounds.round_files import mask_files

TEMPLATE = Path(__file__).resolve().parents[1] / "workflow" / "report" / "rounds.html.j2"


def main() -> None:
    args = parse()
    description = read_description(args.dataset)
    names = spread([name for name, _ in mask_files(args.round_masks[0])], args.examples)
    index = {row.name: row for row in read_index(args.index)}
    rows = [row_of(index[name], args.round_masks) for name in names]
    title = f"{args.architecture} on {description.name}: rounds of semi-ground truth"
    figure = draw_rounds(rows, description.classes)
    save_tissue(figure, args.figure, drawn_colours(len(description.classes)), f"{title}. {NOTE}")
    drifts = by_round(args.drift)
    folds = [
        fold_rounds(fold, json.loads(path.read_text(encoding="utf-8")), drifts.get(fold, {}))
        for path in args.verdict
        for fold in [fold_of(path)]
    ]
    told = [(name.replace("_", " "), f"{value:g}") for name, value in settings_of(args).items()]
    alt = f"{', '.join(names)}: image, what people drew, and what each round accepted"
    write_text(args.html, rounds_page(TEMPLATE, title, told, folds, args.figure.read_bytes(), alt))


def spread(names: Sequence[str], count: int) -> list[str]:
    """`count` of some names at even distances, the first and the last among them."""
    steps = max(min(count, len(names)) - 1, 1)
    return list(dict.fromkeys(names[place * (len(names) - 1) // steps] for place in range(min(count, len(names)))))


def row_of(row: IndexRow, round_masks: Sequence[Path]) -> RoundsRow:
    masks = [read_mask(folder / f"{row.name}.png") for folder in round_masks]
    return RoundsRow(row.name, read_image(row.image), read_mask(row.mask), masks)


def fold_of(path: Path) -> str:
    """The fold of a file in fold<k>/rounds/round<r>."""
    return path.parents[2].name.removeprefix("fold")


def by_round(drifts: Sequence[Path]) -> dict[str, dict[int, list[dict[str, str]]]]:
    """The rows of each drift.csv by fold and round."""
    found: dict[str, dict[int, list[dict[str, str]]]] = {}
    for path in drifts:
        found.setdefault(fold_of(path), {})[int(path.parent.name.removeprefix("round"))] = read_table(path)
    return found


def settings_of(args: argparse.Namespace) -> Mapping[str, float]:
    rule = settings_among(args, Rule)
    return vars(rule) | {"parts": args.parts, "draws": args.draws, "weight": args.weight}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--architecture", required=True, metavar="NAME", help="architecture that was trained")
    add("--index", type=Path, required=True, metavar="CSV", help="index.csv of the prepared dataset")
    add("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    add("--verdict", type=Path, nargs="+", required=True, metavar="JSON", help="last verdict of each fold")
    add("--drift", type=Path, nargs="+", required=True, metavar="CSV", help="fold<k>/rounds/round<r>/drift.csv")
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
