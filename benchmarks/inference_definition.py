"""What the engines of benchmarks/inference.py share: where tiles lie, what they weigh, what a run tells of itself."""

import argparse
import sys
from collections.abc import Callable
from math import isqrt
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.mirroring import mirrored_part

Predict = Callable[[], np.ndarray]  # classes of the whole image, uint8
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Peer:
    """A way to predict, with what is to be told about a run."""

    def __init__(self, predict: Predict, tiles: int, facts: Callable[[], dict] = dict) -> None:
        self._predict, self._tiles, self._facts = predict, tiles, facts

    def classes(self) -> np.ndarray:
        """Predict the image."""
        return self._predict()

    def facts(self) -> dict:
        """Tiles predicted, peak memory of the process in MiB so far, and whatever the way itself counts."""
        return {"tiles": self._tiles, "peak_mib": peak_mib(), **self._facts()}


def peak_mib() -> float:
    """The most memory that this process has had, in MiB, as Linux counts it since the program began."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def stride_of(arguments: argparse.Namespace) -> int:
    """Pixels from one tile to the next."""
    return arguments.tile_px // isqrt(arguments.overlap)


def continued(image: np.ndarray, arguments: argparse.Namespace) -> np.ndarray:
    """The image with mirrors around it, so that tiles that lie within see each of its pixels `overlap` times."""
    reach, stride = arguments.tile_px - stride_of(arguments), stride_of(arguments)
    height, width = (side + -side % stride + 2 * reach for side in image.shape[:2])
    return mirrored_part(image, -reach, -reach, height, width)


def cropped(classes: np.ndarray, image: np.ndarray, arguments: argparse.Namespace) -> np.ndarray:
    """Without the mirrors."""
    reach = arguments.tile_px - stride_of(arguments)
    return classes[reach : reach + image.shape[0], reach : reach + image.shape[1]]


def tile_count(padded: np.ndarray, arguments: argparse.Namespace) -> int:
    """Tiles within the continued image."""
    rows, columns = ((side - arguments.tile_px) // stride_of(arguments) + 1 for side in padded.shape[:2])
    return rows * columns


def window_of(arguments: argparse.Namespace) -> np.ndarray:
    """Weights of a tile's pixels: all alike, or a Gaussian with a standard deviation of an eighth of the tile."""
    if arguments.window == "constant":
        return np.ones((arguments.tile_px, arguments.tile_px), np.float32)
    offsets = (np.arange(arguments.tile_px) + 0.5) / arguments.tile_px - 0.5
    profile = np.exp(-0.5 * (offsets / (1 / 8)) ** 2)
    return np.outer(profile, profile).astype(np.float32)


def as_input(tiles: torch.Tensor) -> torch.Tensor:
    """RGB bytes, NHWC, as the network takes them."""
    return tiles.permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous()
