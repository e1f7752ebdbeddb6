"""One sweep of histoloom's engine over pixels that are never in memory as a whole; prints what it took as JSON.

    python benchmarks/inference_sweep.py --model model.safetensors --side 32768 --overlap 16 --rows 512 --batch-size 8
    python benchmarks/inference_sweep.py --model model.safetensors --slide slide.tif --out folder --overlap 16 \
        --batch-size 8

Without --slide the pixels are made row by row, and what is predicted is forgotten: the memory is the engine's own. With
it the bands are read from the file and written as scripts/predict_slide.py writes them.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from inference_data import CLASSES, MPP, MadeTissue
from inference_definition import DEVICE, peak_mib
from inference_ours import NetworkClock, engine_settings

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.formats.slides.slide import Slide
from histoloom.memory import keep_freed_memory
from histoloom.networks import load_model, memory_format
from histoloom.predict.engine.engine import Engine
from histoloom.predict.engine.pixels import Pixels
from histoloom.slides.band_store import BandStore, Grid
from histoloom.slides.prediction.bands import bands_from
from histoloom.slides.prediction.slide_pixels import SlidePixels

WARM_UP, COUNTED = 3, 10  # forward passes on resident tensors


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    network, card = load_model(arguments.model)
    engine = Engine([network], card, engine_settings(arguments, compile=arguments.compile), DEVICE)
    ceiling, clock = resident_seconds_a_tile(engine), NetworkClock(engine)
    began = time.monotonic()
    if arguments.slide:
        with Slide(arguments.slide, MPP) as slide:
            pixels = SlidePixels(slide, MPP)
            write_bands(engine, pixels, arguments.out)
    else:
        pixels = MadeTissue(arguments.rows or arguments.side, arguments.side)
        for _, band in engine.sweep(pixels):
            band.argmax(2)
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.monotonic() - began
    facts = {"seconds": seconds, "side": pixels.width, "rows": pixels.height, "ceiling_ms_a_tile": 1000 * ceiling}
    print(json.dumps({**facts, "tiles": clock.tiles, "peak_mib": peak_mib(), **clock.facts()}))


def write_bands(engine: Engine, pixels: Pixels, folder: Path) -> None:
    """The bands of a slide as a store on disk."""
    store = BandStore.create(folder, Grid(pixels.height, pixels.width, len(CLASSES), "uint8", MPP))
    for band, (values,) in bands_from(engine, pixels, None, 0):
        store.write(band, values)


@torch.inference_mode()
def resident_seconds_a_tile(engine: Engine) -> float:
    """Seconds that the network takes for a tile where all there is to do is a forward pass on random numbers."""
    ensemble, side = engine._ensemble, engine.tile_px
    tiles = torch.rand(engine.batch_size, 3, side, side, device=DEVICE)
    tiles = tiles.contiguous(memory_format=memory_format(DEVICE))
    for number in range(WARM_UP + COUNTED):
        if number == WARM_UP:
            began = settled()
        with torch.autocast(DEVICE.type, ensemble.precision, enabled=ensemble.precision != torch.float32):
            ensemble._networks[0](tiles)
    return (settled() - began) / COUNTED / engine.batch_size


def settled() -> float:
    """The time when all that was asked of the device is done."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="model.safetensors of histoloom.")
    parser.add_argument("--slide", type=Path, help="Slide to read.")
    parser.add_argument("--out", type=Path, help="Folder for the bands, with --slide.")
    parser.add_argument("--side", type=int, help="Columns of made pixels, and rows without --rows.")
    parser.add_argument("--rows", type=int, default=0, help="Rows of made pixels; 0: as many as columns.")
    parser.add_argument("--batch-size", type=int, required=True, help="Tiles in one pass through the network.")
    parser.add_argument("--overlap", type=int, default=16, help="Tiles that see each pixel.")
    parser.add_argument("--window", choices=("constant", "gaussian"), default="constant", help="Weights of a tile.")
    parser.add_argument("--compile", action="store_true", help="Compile the network.")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads.")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
