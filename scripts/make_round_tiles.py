"""Lay the masks of a round out for training, beside the images that are laid out already, and list the windows."""

import argparse
from dataclasses import astuple
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_table
from histoloom.rounds.round_files import mask_files
from histoloom.rounds.round_tiles import write_round_masks
from histoloom.split.tile_layout import annotated_windows
from histoloom.split.tiles import WINDOW_COLUMNS, TileStore


def main() -> None:
    args = parse()
    drawn = TileStore.open(args.images, args.drawn, args.instances, args.image_table)
    write_round_masks(drawn, dict(mask_files(args.round_masks)), args.downsample, args.masks)
    store = TileStore.open(args.images, args.masks, args.instances, args.image_table)
    windows = annotated_windows(store, args.tile_px, args.stride_px)
    write_table(args.windows, WINDOW_COLUMNS, map(astuple, windows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--images", type=Path, required=True, metavar="NPY", help="pixels of all images, as make_tiles.py wrote them")
    add("--drawn", type=Path, required=True, metavar="NPY", help="masks that people drew, of the same")
    add("--instances", type=Path, required=True, metavar="NPY", help="nuclei, of the same")
    add("--image-table", type=Path, required=True, metavar="CSV", help="where each image lies in them")
    add("--round-masks", type=Path, required=True, metavar="DIR", help="masks of the round, <name>.png")
    add("--downsample", type=int, required=True, metavar="N", help="native pixels along one working pixel")
    add("--tile-px", type=int, required=True, metavar="N", help="side of a window in working pixels")
    add("--stride-px", type=int, required=True, metavar="N", help="distance of windows in working pixels")
    add("--masks", type=Path, required=True, metavar="NPY", help="masks to write: people's, and accepted pixels marked")
    add("--windows", type=Path, required=True, metavar="CSV", help="table to write: name,row,column")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
