"""Draw the overview of a slide: the slide, its classes on it, the density of its nuclei, a legend and a scale bar.

What a model of regions parts is no nucleus: where the dataset does not tell nuclei apart, no density is drawn.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from histoloom.errors import InputError, run
from histoloom.formats.slides.slide import Slide
from histoloom.prepared import read_description
from histoloom.report.figures.style import save_tissue
from histoloom.slides.band_store import BandStore
from histoloom.slides.nuclei.table import read_tables
from histoloom.slides.overview.class_shares import class_shares, nuclei_density
from histoloom.slides.overview.drawing import Overview, draw_overview, drawn_colours
from histoloom.slides.slide_facts import read_slide_facts
from histoloom.slides.thumbnail import downsample_to, thumbnail


def main() -> None:
    args = parse()
    facts = read_slide_facts(args.slide_json)
    with Slide(args.slide, facts["mpp"]) as slide:
        if (slide.width, slide.height) != (facts["width"], facts["height"]):
            raise InputError(
                f"{args.slide}: {slide.width} x {slide.height} pixels, in {args.slide_json} {facts['width']} x "
                f"{facts['height']}; expected the same slide; find its tissue again"
            )
        downsample = downsample_to(slide, args.longest_px)
        picture = thumbnail(slide, downsample)
    overview = overview_of(args, facts, picture, facts["mpp"] * downsample)
    about = f"{overview.name}: {', '.join(overview.classes[1:])} by {args.model_name}"
    save_tissue(draw_overview(overview), args.figure, drawn_colours(overview.classes), about)


def overview_of(
    args: argparse.Namespace, facts: dict[str, Any], picture: UInt8[np.ndarray, "height width 3"], pixel_um: float
) -> Overview:
    store = BandStore.open(args.classes)
    grid, classes, shape = store.grid, tuple(store.grid.facts["classes"]), picture.shape[:2]
    factor = pixel_um / grid.mpp
    shares = class_shares(store, len(classes), shape, factor)
    note = f"{facts['width']} x {facts['height']} px of {facts['mpp']:g} µm; classes by {args.model_name}"
    if args.nuclei is None or not (args.dataset is None or read_description(args.dataset).has_instances):
        return Overview(picture, pixel_um, facts["name"], note, classes, shares)
    # On a large slide, cells of less than some pixels of the picture could not be seen.
    cell_um = max(args.cell_um, 4 * pixel_um)
    density = nuclei_density(read_tables(args.nuclei), (grid.height, grid.width), grid.mpp, cell_um / grid.mpp)
    return Overview(picture, pixel_um, facts["name"], note, classes, shares, density, cell_um / pixel_um)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--slide", type=Path, required=True, help="slide or plain image")
    parser.add_argument("--slide-json", type=Path, required=True, help="slide.json that find_tissue wrote")
    parser.add_argument("--classes", type=Path, required=True, help="folder of the slide's class map (postprocess)")
    parser.add_argument("--nuclei", type=Path, help="folder of the slide's nuclei tables, to show their density")
    parser.add_argument("--dataset", type=Path, help="dataset.json of the model, which says whether it has nuclei")
    parser.add_argument("--cell-um", type=float, required=True, help="side of the squares in which nuclei are counted")
    parser.add_argument("--model-name", required=True, help="what the classes are from, for the title")
    parser.add_argument("--longest-px", type=int, required=True, help="longest side of the slide as drawn, in pixels")
    parser.add_argument("--figure", type=Path, required=True, help="picture to write, PNG")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
