"""Predict a whole slide at the resolution of its model: class probabilities and instance maps, band by band, as bytes.

Killed at any band and started again with the same flags, it goes on there and ends with the same bytes.
"""

import argparse
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from histoloom.errors import run
from histoloom.formats.images import read_mask
from histoloom.formats.slides.slide import Slide
from histoloom.memory import keep_freed_memory, lack_of_memory_told
from histoloom.predict.engine.engine import Engine
from histoloom.predict.engine.ensemble import load_ensemble
from histoloom.predict.engine.flags import add_engine_flags, engine_settings, memory_advice
from histoloom.predict.engine.tiling import stride_px
from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.slides.prediction import bands_from, chosen, grids, model_mpp
from histoloom.slides.prediction_state import State, fingerprint
from histoloom.slides.recoloured import in_stain_of
from histoloom.slides.slide_facts import read_slide_facts
from histoloom.slides.slide_pixels import SlidePixels


def main() -> None:
    args = parse()
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    models, reference = chosen(args.model, args.reference, args.choose)
    networks, card = load_ensemble(models)
    settings, facts = engine_settings(args), read_slide_facts(args.slide_json)
    mpp = model_mpp(models[0], card, args.mpp)
    files = [*models, args.slide_json, args.tissue, *([reference] if reference else [])]
    identity = fingerprint(args.slide, files, settings, device, mpp=mpp, outside=args.outside, code=args.code)
    with Slide(args.slide, facts["mpp"]) as slide, lack_of_memory_told(*memory_advice(card, settings)):
        pixels = SlidePixels(slide, mpp)
        scale = facts["tissue_mpp"] / pixels.mpp
        mask = read_mask(args.tissue) > 0
        tissue = TissueMask(mask, scale, pixels.height, pixels.width)
        stained, reason = in_stain_of(reference, slide, pixels, mask)
        if reason:
            print(f"warning: {args.slide}: keeps its own stain: {reason}", file=sys.stderr)
        stride = stride_px(settings.window_px or card["tile_px"], settings.overlap)
        described = grids(card, facts, pixels, outside=args.outside, stride_px=stride, not_normalised=reason)
        state = State(args.state / identity, described)
        engine = Engine(networks, card, state.with_batch_size(settings), device)
        state.keep_batch_size(engine.batch_size)
        bands = bands_from(engine, stained, tissue, state.done)
        for band, parts in tqdm(
            bands, desc="predict", unit="band", initial=state.done, total=state.bands, disable=None
        ):
            state.write(band, parts)
        state.publish(args.probabilities, args.maps)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slide", type=Path, required=True, help="the slide")
    parser.add_argument("--slide-json", type=Path, required=True, help="slide.json that find_tissue.py wrote")
    parser.add_argument("--tissue", type=Path, required=True, help="tissue.png that find_tissue.py wrote")
    parser.add_argument(
        "--model", type=Path, nargs="+", required=True, help="model.pt that training wrote; of several the mean"
    )
    parser.add_argument(
        "--choose", choices=("best", "all"), required=True, help="of the models the best by validation score, or all"
    )
    parser.add_argument(
        "--reference", type=Path, nargs="*", default=[], help="of each model, if it learnt in its stain"
    )
    parser.add_argument("--mpp", type=float, help="µm per pixel the model was trained at, if the model does not say so")
    parser.add_argument(
        "--outside", type=int, choices=(0, 255), required=True, help="class outside of tissue, 255: not looked at"
    )
    add_engine_flags(parser)
    parser.add_argument("--code", required=True, help="fingerprint of the code, by which unfinished work is told apart")
    parser.add_argument("--state", type=Path, required=True, help="folder for bands until all are done")
    parser.add_argument("--probabilities", type=Path, required=True, help="folder to write the bands into")
    parser.add_argument("--maps", type=Path, required=True, help="folder for instance maps; none without such maps")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
