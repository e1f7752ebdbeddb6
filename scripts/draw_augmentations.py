"""Draw training tiles of one fold as they are, and as training makes them in its first epochs.

They are the very tiles that `train.py` gets with the same seed and settings (`sampling: even`): both make the first
version of a window in an epoch from (seed, epoch, number of the window).
"""

import argparse
from functools import partial
from pathlib import Path

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import InputError, run
from histoloom.prepared import part_names, read_description
from histoloom.report.figures.augmentations import Row, draw_augmentations, drawn_colours
from histoloom.report.figures.style import save_tissue
from histoloom.split.choice import spread_choice
from histoloom.split.tiles import TileStore, Window, read_windows
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.augmentation.tiles import augmented_tile, plain_tile, sample_rng

WINDOWS, EPOCHS = 4, 6


def main() -> None:
    arguments = parse()
    augmentation = settings_among(arguments, Augmentation)
    store = TileStore.open(arguments.images, arguments.masks, arguments.instances, arguments.image_table)
    names = set(part_names(arguments.folds, arguments.fold, "train"))
    windows = [window for window in read_windows(arguments.windows) if window.name in names]
    if not windows:
        raise InputError(
            f"{arguments.windows}: no window of the train part of fold {arguments.fold}; expected one at least; "
            "change the split section or annotate more images"
        )
    chosen = spread_choice((store.window_mask(window, arguments.tile_px) for window in windows), WINDOWS)
    rows = [row_of(store, windows[sample], sample, augmentation, arguments) for sample in chosen]
    description = read_description(arguments.dataset)
    title = f"{description.name}: training tiles of fold {arguments.fold} as augmentation makes them"
    figure = draw_augmentations(rows, title, augmentation.active, description.classes)
    save_tissue(figure, arguments.figure, drawn_colours(len(description.classes)), title)


def row_of(
    store: TileStore, window: Window, sample: int, augmentation: Augmentation, arguments: argparse.Namespace
) -> Row:
    place = (window.row, window.column, arguments.tile_px)
    image, labels = store.image(window.name), (store.mask(window.name),)
    made = partial(augmented_tile, image, labels, *place, augmentation)
    versions = [made(sample_rng(arguments.seed, epoch, sample)) for epoch in range(1, EPOCHS + 1)]
    tiles = [plain_tile(image, labels, *place), *versions]
    title = f"{window.name}, row {window.row}, column {window.column}"
    return Row(title, [(tile, mask) for tile, (mask,) in tiles])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--images", type=Path, required=True, metavar="NPY", help="pixels of all images")
    parser.add_argument("--masks", type=Path, required=True, metavar="NPY", help="class indices of all pixels")
    parser.add_argument("--instances", type=Path, required=True, metavar="NPY", help="nucleus ids of all pixels")
    parser.add_argument("--image-table", type=Path, required=True, metavar="CSV", help="where each image lies in them")
    parser.add_argument("--windows", type=Path, required=True, metavar="CSV", help="training windows")
    parser.add_argument("--folds", type=Path, required=True, metavar="CSV", help="parts of each fold")
    parser.add_argument("--fold", type=int, required=True, metavar="K", help="fold whose training part to draw")
    parser.add_argument("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    parser.add_argument("--tile-px", type=int, required=True, metavar="N", help="side of a tile in pixels")
    parser.add_argument("--seed", type=int, required=True, metavar="S", help="the seed of training")
    add_flags(parser, Augmentation)
    parser.add_argument("--figure", type=Path, required=True, metavar="PNG", help="figure to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
