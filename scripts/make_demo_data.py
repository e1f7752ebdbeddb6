"""Make H&E-like images by rule and seed: in the native layouts of PanNuke and BreCaHAD, and as a slide."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.prepare.demo.datasets import write_brecahad, write_pannuke
from histoloom.prepare.demo.slides import write_slide


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pannuke", type=Path, required=True, help="folder to write: three folds of 256 px patches")
    parser.add_argument(
        "--brecahad", type=Path, required=True, help="folder to write: six cases of 340 x 256 px images"
    )
    parser.add_argument("--slides", type=Path, required=True, help="folder to write: a slide of 1280 x 1024 px")
    parser.add_argument("--seed", type=int, required=True, help="number that everything is drawn from, 0 or more")
    parser.add_argument("--patches-per-fold", type=int, required=True, help="patches in each fold of PanNuke")
    parser.add_argument("--images-per-case", type=int, required=True, help="images of each case of BreCaHAD")
    arguments = parser.parse_args()
    write_pannuke(arguments.pannuke, arguments.patches_per_fold, arguments.seed)
    write_brecahad(arguments.brecahad, arguments.images_per_case, arguments.seed)
    write_slide(arguments.slides, arguments.seed)


if __name__ == "__main__":
    run(main)
