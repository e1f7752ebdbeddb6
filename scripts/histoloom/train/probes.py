"""The few validation tiles that are predicted after every epoch, as strips that `render_epochs` animates."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from histoloom.formats.images import write_image
from histoloom.sample import IGNORE
from histoloom.train.batches import ValidationTiles


def probe_tiles(tiles: ValidationTiles, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, tile, tile, 3) and masks (n, tile, tile) of `count` tiles at most, spread over the validation part.

    The validation windows are cut into `count` runs, and of each run the tile with most foreground is taken, the
    first of equals: a tile without any shows nothing of what a network learns.
    """
    runs = np.array_split(np.arange(len(tiles)), min(count, len(tiles)))
    chosen = [max((tiles[int(index)] for index in run), key=_foreground_share) for run in runs]
    images, masks = zip(*chosen, strict=True)
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks))


def write_probes(folder: Path, images: torch.Tensor, masks: torch.Tensor) -> None:
    """Write what does not change over the epochs: image.png and truth.png."""
    write_image(folder / "image.png", side_by_side(images.numpy()))
    write_image(folder / "truth.png", side_by_side(masks.numpy()))


def write_epoch(folder: Path, epoch: int, predicted: UInt8[np.ndarray, "tiles tile tile"]) -> None:
    """Write the class indices predicted after an epoch, counted from 1."""
    write_image(folder / f"epoch_{epoch:03d}.png", side_by_side(predicted))


def side_by_side(tiles: UInt8[np.ndarray, "tiles tile tile *channels"]) -> UInt8[np.ndarray, "tile width *channels"]:
    """Join tiles to one strip, left to right.

    >>> side_by_side(np.array([[[1]], [[2]]], np.uint8))
    array([[1, 2]], dtype=uint8)
    """
    return np.concatenate(list(tiles), axis=1)


def _foreground_share(tile: tuple[np.ndarray, np.ndarray]) -> float:
    return float(((tile[1] != 0) & (tile[1] != IGNORE)).mean())
