"""Find the tissue of a slide, and write down what the later steps have to know of it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import InputError, run
from histoloom.files import write_json
from histoloom.formats.images import write_image
from histoloom.formats.slides.checks import require_checksum
from histoloom.formats.slides.slide import Slide
from histoloom.slides.thumbnail import near_downsample, thumbnail, thumbnail_shape
from histoloom.slides.tissue import TissueSettings, find_tissue, own_tissue, tissue_warnings


def main() -> None:
    args = parse()
    settings = settings_among(args, TissueSettings)
    if args.checksums:
        require_checksum(args.slide, args.checksums)
    with Slide(args.slide, given_mpp(args)) as slide:
        if slide.mpp is None:
            raise InputError(
                f"{args.slide}: does not state how many µm a pixel has; expected them in its header; set slides: mpp, "
                "or the column mpp of the list of slides (often 0.25 at 40x, 0.5 at 20x: ask who scanned it)"
            )
        downsample = near_downsample(slide, settings.tissue_mpp / slide.mpp)
        mpp = slide.mpp * downsample
        if args.own_mask:
            tissue = own_tissue(args.own_mask, slide.width, slide.height, thumbnail_shape(slide, downsample))
        else:
            tissue = find_tissue(thumbnail(slide, downsample), mpp, settings)
        facts = describe(slide, args) | {"tissue_mpp": mpp, "tissue_share": round(float(tissue.mean()), 6)}
    facts["warnings"] = tissue_warnings(tissue, slide.mpp, slide.stated_mpp)
    for warning in facts["warnings"]:
        print(f"warning: {args.slide}: {warning}", file=sys.stderr)
    write_image(args.tissue, tissue.astype("uint8") * 255)
    write_json(args.slide_json, facts)


def given_mpp(args: argparse.Namespace) -> float | None:
    """What the settings say of this slide: its own value, else, where its header states none, that of all."""
    if args.mpp is not None or args.default_mpp is None:
        return args.mpp
    with Slide(args.slide) as slide:
        return args.default_mpp if slide.stated_mpp is None else None


def describe(slide: Slide, args: argparse.Namespace) -> dict[str, Any]:
    return {
        "name": args.name,
        "slide": args.slide.name,
        "width": slide.width,
        "height": slide.height,
        "mpp": slide.mpp,
        "mpp_source": "header" if slide.mpp == slide.stated_mpp else "setting",
        "levels": [{"width": level.width, "height": level.height, "factor": level.factor} for level in slide.levels],
        "tissue_source": "saturation" if args.own_mask is None else "own mask",
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--slide", type=Path, required=True, help="slide or plain image")
    parser.add_argument("--name", required=True, help="name of the slide as it is shown to people")
    parser.add_argument("--mpp", type=float, help="µm per full-resolution pixel, in place of what the header says")
    parser.add_argument("--default-mpp", type=float, help="the same, where the header says nothing")
    parser.add_argument("--own-mask", type=Path, help="image whose pixels other than 0 are tissue, in place of ours")
    parser.add_argument("--checksums", type=Path, help="sha256 of the slides as sha256sum writes them, to check first")
    add_flags(parser, TissueSettings)
    parser.add_argument("--tissue", type=Path, required=True, help="mask to write, PNG: 255 tissue, 0 none")
    parser.add_argument("--slide-json", type=Path, required=True, help="facts of the slide to write, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
