"""Write the class probabilities of a slide as an OME-TIFF, a channel for each class, 255 for 1."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.formats.ome_tiff import write_ome_tiff
from histoloom.slides.band_store import BandStore
from histoloom.slides.class_colours import colours_of

BACKGROUND_COLOUR = (128, 128, 128)  # black would be invisible, where viewers add up channels


def main() -> None:
    args = parse()
    store = BandStore.open(args.probabilities)
    grid, names = store.grid, tuple(store.grid.facts["classes"])
    shown = [BACKGROUND_COLOUR, *colours_of(names)[1:]]
    write_ome_tiff(args.probability_map, store.rows, grid.height, grid.width, names, shown, grid.mpp, "probabilities")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--probabilities", type=Path, required=True, help="folder of the slide's bands (predict_slide)")
    parser.add_argument("--probability-map", type=Path, required=True, help="OME-TIFF to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
