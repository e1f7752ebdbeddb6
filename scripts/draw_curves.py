"""Draw the learning curves of one dataset: every architecture, every fold."""

import argparse
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.prepared import read_table
from histoloom.report.figures.curves import Curve, curve, draw_curves
from histoloom.report.figures.style import save


def main() -> None:
    arguments = parse()
    save(draw_curves(curves_by_architecture(arguments.history)), arguments.figure, arguments.pdf)


def curves_by_architecture(paths: list[Path]) -> dict[str, list[Curve]]:
    curves: dict[str, list[Curve]] = {}
    for path in paths:
        rows = read_table(path)
        if not rows:
            raise InputError(f"{path}: holds no epoch; expected one row per epoch; train this fold again")
        curves.setdefault(path.parts[-3], []).append(curve(rows))
    return curves


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--history",
        type=Path,
        nargs="+",
        required=True,
        metavar="CSV",
        help="training histories; a path ends in <architecture>/fold<k>/history.csv, which names the panel",
    )
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    parser.add_argument("--pdf", type=Path, metavar="PDF", help="the same figure for print, to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
