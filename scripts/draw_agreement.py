"""Draw where truth and prediction agree on the images of the examples, and list the numbers."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_table
from histoloom.prepared import read_index
from histoloom.report.examples.choice import description, fold_folders, read_choices
from histoloom.report.examples.compared_files import read_compared
from histoloom.report.figures.agreement import draw_agreement, drawn_colours, table_rows
from histoloom.report.figures.style import save_tissue


def main() -> None:
    args = parse()
    choices, score_name = read_choices(args.examples)
    regions, nuclei = fold_folders(args.regions), fold_folders(args.nuclei)
    images = {row.name: row for row in read_index(args.index)}
    compared = [read_compared(choice, images[choice.name], regions, nuclei) for choice in choices]
    words = f"agreement of truth and prediction; {description(choices, score_name)}"
    save_tissue(draw_agreement(compared, score_name), args.figure, drawn_colours(), words, args.pdf)
    write_table(args.table, ("rank", "image", "fold", "of", "code", "number"), table_rows(compared))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--examples", type=Path, required=True, metavar="CSV", help="the images shown, as draw_examples lists them")
    add("--index", type=Path, required=True, metavar="CSV", help="index of the prepared images")
    add("--regions", type=Path, nargs="+", required=True, metavar="DIR", help="predicted masks: fold<k>/<folder>")
    add("--nuclei", type=Path, nargs="*", default=[], metavar="DIR", help="predicted nuclei: fold<k>/<folder>")
    add("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    add("--pdf", type=Path, metavar="PDF", help="the same figure for print, to write")
    add("--table", type=Path, required=True, metavar="CSV", help="pixels and nuclei of each code, to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
