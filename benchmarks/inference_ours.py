"""histoloom's engine as benchmarks/inference.py runs it, and how much of its time the network takes."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from inference_definition import DEVICE, Peer, continued, tile_count
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.memory import keep_freed_memory
from histoloom.networks import load_model
from histoloom.predict.engine.engine import Engine, EngineSettings
from histoloom.predict.engine.pixels import ImagePixels


@contextmanager
def ours(image: np.ndarray, arguments: argparse.Namespace, **settings: object) -> Iterator[Peer]:
    """The engine of scripts/predict_images.py and predict_slide.py, with the share of time that the network takes."""
    keep_freed_memory()
    network, card = load_model(arguments.model)
    engine = Engine([network], card, engine_settings(arguments, **settings), DEVICE)
    clock = NetworkClock(engine)

    def predict() -> np.ndarray:
        clock.restart()
        classes = np.empty(image.shape[:2], np.uint8)
        for first, band in engine.sweep(ImagePixels(image)):
            classes[first : first + len(band)] = band.argmax(2).to(torch.uint8).cpu().numpy()
        return classes

    yield Peer(predict, tile_count(continued(image, arguments), arguments), clock.facts)


def engine_settings(arguments: argparse.Namespace, **settings: object) -> EngineSettings:
    """Settings of the engine, the default of each where none is given."""
    values = {"precision": "auto", **settings}
    return EngineSettings(arguments.overlap, arguments.window, arguments.batch_size, **values)


class NetworkClock:
    """Seconds within the networks of an engine: what a forward pass takes, softmax and all else left out."""

    def __init__(self, engine: Engine) -> None:
        self.seconds, self.tiles, self._events = 0.0, 0, []
        ensemble = engine._ensemble
        ensemble._networks = [self._timed(network) for network in ensemble._networks]

    def restart(self) -> None:
        """Forget what was."""
        self.seconds, self.tiles = 0.0, 0
        self._events.clear()

    def facts(self) -> dict:
        """Seconds since the last restart."""
        if self._events:
            torch.cuda.synchronize()
        return {"network_seconds": self.seconds + sum(a.elapsed_time(b) for a, b in self._events) / 1000}

    def _timed(self, network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
        def on_cpu(tiles: torch.Tensor) -> torch.Tensor:
            began = time.perf_counter()
            output = network(tiles)
            self.seconds += time.perf_counter() - began
            self.tiles += len(tiles)
            return output

        def on_gpu(tiles: torch.Tensor) -> torch.Tensor:
            events = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            events[0].record()
            output = network(tiles)
            events[1].record()
            self._events.append(events)
            self.tiles += len(tiles)
            return output

        return on_gpu if DEVICE.type == "cuda" else on_cpu


@contextmanager
def ours_compiled(image: np.ndarray, arguments: argparse.Namespace) -> Iterator[Peer]:
    """Ours with the network compiled."""
    with ours(image, arguments, compile=True) as peer:
        yield peer


@contextmanager
def ours_float32(image: np.ndarray, arguments: argparse.Namespace) -> Iterator[Peer]:
    """Ours in the number type of the peers as documented."""
    with ours(image, arguments, precision="float32") as peer:
        yield peer
