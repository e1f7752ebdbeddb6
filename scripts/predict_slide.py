"""Predict a whole slide at the resolution of its model: class probabilities and instance maps, band by band, as bytes.

Killed at any band and started again with the same flags, it goes on there and ends with the same bytes.
"""

import argparse
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from histoloom.errors import run
from histoloom.formats.slides.slide import Slide
from histoloom.lease import leased
from histoloom.memory import keep_freed_memory, lack_of_memory_told
from histoloom.predict.engine.engine import Engine
from histoloom.predict.engine.flags import add_engine_flags, engine_settings, memory_advice
from histoloom.slides.prediction.bands import bands_from
from histoloom.slides.prediction.model import read_slide_model
from histoloom.slides.prediction.state import State, fingerprint
from histoloom.slides.prediction.view import grids, slide_view
from histoloom.slides.slide_facts import read_slide_facts


def main() -> None:
    args = parse()
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = read_slide_model(args.model, args.reference, args.choose, args.mpp)
    settings, facts = engine_settings(args), read_slide_facts(args.slide_json)
    files = [*model.files, args.slide_json, args.tissue]
    identity = fingerprint(args.slide, files, settings, device, mpp=model.mpp, outside=args.outside, code=args.code)
    advice = memory_advice(model.card, settings)
    with (
        leased(args.state / identity) as lease,
        Slide(args.slide, facts["mpp"]) as slide,
        lack_of_memory_told(*advice),
    ):
        if lease.warning:
            print(f"warning: {lease.warning}", file=sys.stderr)
        view = slide_view(slide, model, facts, args.tissue)
        if view.not_normalised:
            print(f"warning: {args.slide}: keeps its own stain: {view.not_normalised}", file=sys.stderr)
        state = State(args.state / identity, grids(model.card, facts, view, settings, outside=args.outside))
        engine = Engine(model.networks, model.card, state.with_batch_size(settings), device)
        state.keep_batch_size(engine.batch_size)
        bands = bands_from(engine, view.pixels, view.tissue, state.done)
        progress = tqdm(bands, desc="predict", unit="band", initial=state.done, total=state.bands, disable=None)
        for band, parts in progress:
            lease.check()
            state.write(band, parts)
        print(engine.memory_warning, end="\n" if engine.memory_warning else "", file=sys.stderr)
        lease.check()
        state.publish(args.probabilities, args.maps)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    paths = {
        "slide": "the slide",
        "slide-json": "slide.json that find_tissue.py wrote",
        "tissue": "tissue.png that find_tissue.py wrote",
        "state": "folder for bands until all are done",
        "probabilities": "folder to write the bands into",
        "maps": "folder for instance maps; none without such maps",
    }
    for name, said in paths.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=said)
    add = parser.add_argument
    add("--model", type=Path, nargs="+", required=True, help="model.safetensors of training; of several the mean")
    add("--choose", choices=("best", "all"), required=True, help="of the models the best by validation score, or all")
    add("--reference", type=Path, nargs="*", default=[], help="of each model, if it learnt in its stain")
    add("--mpp", type=float, help="µm per pixel the model was trained at, if the model does not say so")
    add("--outside", type=int, choices=(0, 255), required=True, help="class outside of tissue, 255: not looked at")
    add("--code", required=True, help="fingerprint of the code, by which unfinished work is told apart")
    add_engine_flags(parser)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
