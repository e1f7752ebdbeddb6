"""Lay all pixels of a prepared dataset out for training, and list the windows on them."""

import argparse
import sys
from dataclasses import astuple
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_table
from histoloom.prepared import read_index
from histoloom.split.tile_layout import annotated_windows, write_pixels
from histoloom.split.tiles import IMAGE_COLUMNS, WINDOW_COLUMNS, TileStore


def main() -> None:
    arguments = parse_arguments()
    index = read_index(arguments.index)
    arrays = arguments.images, arguments.masks, arguments.instances
    places = write_pixels(index, arguments.downsample, *arrays, tell=warn)
    write_table(arguments.image_table, IMAGE_COLUMNS, map(astuple, places))
    store = TileStore.open(*arrays, arguments.image_table)
    windows = annotated_windows(store, arguments.tile_px, arguments.stride_px)
    write_table(arguments.windows, WINDOW_COLUMNS, map(astuple, windows))


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--downsample", type=int, required=True, help="native pixels along one working pixel, >= 1")
    parser.add_argument("--tile-px", type=int, required=True, help="side of a window in working pixels")
    parser.add_argument("--stride-px", type=int, required=True, help="distance of windows in working pixels")
    parser.add_argument("--images", type=Path, required=True, help="array to write: (pixels, 3) uint8 RGB")
    parser.add_argument("--masks", type=Path, required=True, help="array to write: (pixels,) uint8 class indices")
    parser.add_argument(
        "--instances", type=Path, required=True, help="array to write: (pixels,) int32 nucleus ids, (0,) without any"
    )
    parser.add_argument("--image-table", type=Path, required=True, help="table to write, a row an image")
    parser.add_argument("--windows", type=Path, required=True, help="table to write: name,row,column")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
