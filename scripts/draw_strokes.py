"""Reduce the dense truth of a prepared dataset to strokes of a pen, for the reader `folder`.

    python scripts/draw_strokes.py --index results/cells/prepared/index.csv --list parts.csv --dense test \\
        --share 0.05 --width-px 5 --length-px 100 --seed 0 --root data/cells_strokes

Masks keep their class indices, with 255 where nothing is drawn; those of the parts that stay dense are copied as they
are. In the study the options of the dataset are then {classes: [background=0, ..., ignore=255], index: index.csv}, and
its split is {scheme: list, fold_count: 1, list: data/cells_strokes/parts.csv}.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from histoloom.errors import run
from histoloom.files import atomic_folder, write_table
from histoloom.formats.images import read_mask, write_image
from histoloom.prepare.strokes import drawn_strokes, image_rng
from histoloom.prepared import PARTS, IndexRow, read_index
from histoloom.split.folds.lists import split_list

COLUMNS = ("name", "group", "stratum", "mpp")


def main() -> None:
    arguments = parse()
    images = {row.name: row for row in read_index(arguments.index)}
    members = split_list(list(images.values()), arguments.list, 1)
    with atomic_folder(arguments.root) as root:
        for name in ("images", "masks"):
            (root / name).mkdir()
        for member in members:
            row = images[member.name]
            shutil.copyfile(row.image, root / "images" / f"{row.name}.png")
            write_image(root / "masks" / f"{row.name}.png", truth(row, member.part in arguments.dense, arguments))
        rows = [[getattr(images[member.name], column) for column in COLUMNS] for member in members]
        write_table(root / "index.csv", COLUMNS, rows)
        write_table(root / "parts.csv", ("name", "part"), [(member.name, member.part) for member in members])


def truth(row: IndexRow, is_dense: bool, arguments: argparse.Namespace) -> UInt8[np.ndarray, "height width"]:
    """The image's mask as it is, or what strokes leave of it."""
    mask = read_mask(row.mask)
    if is_dense:
        return mask
    pen = {"width_px": arguments.width_px, "length_px": arguments.length_px}
    return drawn_strokes(mask, arguments.share, image_rng(arguments.seed, row.name), **pen)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--list", type=Path, required=True, help="table of its parts: name,part")
    parser.add_argument("--dense", nargs="*", choices=PARTS, default=[], help="parts whose masks stay as they are")
    parser.add_argument("--share", type=float, required=True, help="share of an image's pixels to draw, up to 1")
    parser.add_argument("--width-px", type=int, required=True, help="width of the pen in native pixels, odd")
    parser.add_argument("--length-px", type=int, required=True, help="longest stroke in native pixels")
    parser.add_argument("--seed", type=int, required=True, help="number that the strokes are drawn from, 0 or more")
    parser.add_argument("--root", type=Path, required=True, help="folder to write: images, masks, index.csv, parts.csv")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
