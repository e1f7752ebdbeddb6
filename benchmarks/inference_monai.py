"""MONAI's sliding window as benchmarks/inference.py runs it: as documented, and tuned as far as it goes."""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isqrt
from pathlib import Path

import numpy as np
import torch
from inference_definition import DEVICE, Peer, as_input, continued, cropped, tile_count
from monai.inferers import SlidingWindowInferer

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.networks import load_model


@contextmanager
def monai(image: np.ndarray, arguments: argparse.Namespace) -> Iterator[Peer]:
    """SlidingWindowInferer as its documentation calls it, on the network in float32."""
    network = load_model(arguments.model)[0].to(DEVICE)
    with sliding_window(image, arguments, lambda tiles: network(tiles).softmax(1)) as peer:
        yield peer


@contextmanager
def monai_tuned(
    image: np.ndarray, arguments: argparse.Namespace, buffer_steps: int | None = None, compiled: bool = True
) -> Iterator[Peer]:
    """SlidingWindowInferer on the network in bfloat16, channels last, and compiled."""
    if compiled and not shutil.which("c++"):
        raise RuntimeError("no C++ compiler; expected one to compile the network; leave 'monai tuned' out")
    network = load_model(arguments.model)[0].to(DEVICE, memory_format=torch.channels_last)
    called = torch.compile(network) if compiled else network

    def predictor(tiles: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE.type, torch.bfloat16):
            output = called(tiles.contiguous(memory_format=torch.channels_last))
        return output.float().softmax(1)

    with sliding_window(image, arguments, predictor, buffer_steps) as peer:
        yield peer


@contextmanager
def monai_eager(image: np.ndarray, arguments: argparse.Namespace) -> Iterator[Peer]:
    """The tuned one without compiling, which is the quicker on some processors."""
    with monai_tuned(image, arguments, compiled=False) as peer:
        yield peer


@contextmanager
def monai_buffered(image: np.ndarray, arguments: argparse.Namespace) -> Iterator[Peer]:
    """The tuned one, with sums kept in a buffer of one row of tiles."""
    with monai_tuned(image, arguments, buffer_steps=1) as peer:
        yield peer


@contextmanager
def sliding_window(
    image: np.ndarray,
    arguments: argparse.Namespace,
    predictor: Callable[[torch.Tensor], torch.Tensor],
    buffer_steps: int | None = None,
) -> Iterator[Peer]:
    """SlidingWindowInferer over the continued image, on the device of the network."""
    side, padded = (arguments.tile_px, arguments.tile_px), continued(image, arguments)
    overlap = 1 - 1 / isqrt(arguments.overlap)
    buffer = {} if buffer_steps is None else {"buffer_steps": buffer_steps, "buffer_dim": 0}
    inferer = SlidingWindowInferer(side, arguments.batch_size, overlap, arguments.window, **buffer)

    @torch.no_grad()
    def predict() -> np.ndarray:
        inputs = as_input(torch.from_numpy(padded)[None].to(DEVICE))
        classes = inferer(inputs, predictor)[0].argmax(0).to(torch.uint8)
        return cropped(classes.cpu().numpy(), image, arguments)

    yield Peer(predict, tile_count(padded, arguments))
