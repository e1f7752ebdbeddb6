"""The engines that benchmarks/inference.py compares: ours, MONAI's, TIAToolbox's, and a loop without any thought.

As a script it is one of them in a process of its own, and does what the lines of its standard input say:

    python benchmarks/inference_peers.py "monai tuned" --model model.safetensors --image image.npy --batch-size 8

"run" predicts the image and prints the seconds and tiles as JSON, "save PATH" writes the classes of the last run as
.npy. All compute the same thing: tiles of --tile-px, so many pixels apart that --overlap of them see each pixel,
continued beyond the image by mirrors, softmax, weighted by --window and averaged. The peers know nothing of mirrors and
are given the image already continued; that is not timed. Time counts from bytes in memory to one class a pixel.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from inference_definition import DEVICE, Peer, as_input, continued, cropped, stride_of, window_of

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.networks import load_model

# The module of each, imported by its own process alone, and the function in it.
PEERS = {
    "ours": ("inference_ours", "ours"),
    "ours compiled": ("inference_ours", "ours_compiled"),
    "ours float32": ("inference_ours", "ours_float32"),
    "plain loop": ("inference_peers", "plain"),
    "MONAI": ("inference_monai", "monai"),
    "MONAI tuned": ("inference_monai", "monai_tuned"),
    "MONAI tuned, not compiled": ("inference_monai", "monai_eager"),
    "MONAI tuned, buffered": ("inference_monai", "monai_buffered"),
    "TIAToolbox": ("inference_tiatoolbox", "tiatoolbox"),
}


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    module, function = PEERS[arguments.peer]
    with getattr(importlib.import_module(module), function)(np.load(arguments.image), arguments) as peer:
        classes = peer.classes()  # sets up memory, kernels and compiled code
        print(json.dumps({"ready": arguments.peer, **peer.facts()}), flush=True)
        for line in sys.stdin:
            word, _, path = line.strip().partition(" ")
            if word == "run":
                began = time.monotonic()
                classes = peer.classes()
                print(json.dumps({"seconds": time.monotonic() - began, **peer.facts()}), flush=True)
            else:
                np.save(path, classes)
                print(json.dumps({"saved": path}), flush=True)


@contextmanager
def plain(image: np.ndarray, arguments: argparse.Namespace) -> Iterator[Peer]:
    """A loop over tiles as one writes it first: float32, NCHW, sums and weights in NumPy."""
    network = load_model(arguments.model)[0].to(DEVICE)
    padded, tile, stride = continued(image, arguments), arguments.tile_px, stride_of(arguments)
    weights = window_of(arguments)
    corners = [
        (row, column)
        for row in range(0, padded.shape[0] - tile + 1, stride)
        for column in range(0, padded.shape[1] - tile + 1, stride)
    ]

    @torch.no_grad()
    def predict() -> np.ndarray:
        sums = total = None
        for first in range(0, len(corners), arguments.batch_size):
            some = corners[first : first + arguments.batch_size]
            tiles = np.stack([padded[row : row + tile, column : column + tile] for row, column in some])
            values = network(as_input(torch.from_numpy(tiles)).to(DEVICE)).softmax(1).cpu().numpy()
            if sums is None:
                sums = np.zeros((values.shape[1], *padded.shape[:2]), np.float32)
                total = np.zeros(padded.shape[:2], np.float32)
            for (row, column), value in zip(some, values, strict=True):
                sums[:, row : row + tile, column : column + tile] += value * weights
                total[row : row + tile, column : column + tile] += weights
        return cropped((sums / total).argmax(0).astype(np.uint8), image, arguments)

    yield Peer(predict, len(corners))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS, help="Which engine.")
    parser.add_argument("--model", type=Path, required=True, help="model.safetensors of histoloom.")
    parser.add_argument("--image", type=Path, required=True, help="RGB bytes as .npy, height x width x 3.")
    parser.add_argument("--batch-size", type=int, required=True, help="Tiles in one pass through the network.")
    parser.add_argument("--tile-px", type=int, default=256, help="Side of a tile.")
    parser.add_argument("--overlap", type=int, default=16, help="Tiles that see each pixel.")
    parser.add_argument("--window", choices=("constant", "gaussian"), default="constant", help="Weights of a tile.")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
