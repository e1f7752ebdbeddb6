"""The few validation tiles that are predicted after every epoch, as strips that `render_epochs` animates."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from histoloom.formats.images import write_image
from histoloom.split.choice import spread_choice
from histoloom.train.data.batches import Batch, ValidationTiles, stacked


def probe_tiles(tiles: ValidationTiles, count: int) -> Batch:
    """`count` tiles at most, spread over the validation part, each with as much foreground as there is around it.

    A tile without any shows nothing of what a network learns. They are chosen by their masks, before any is made.
    """
    masks = (tiles.tiles.store.window_mask(window, tiles.tiles.tile_px) for window in tiles.windows)
    return stacked([tiles[index] for index in spread_choice(masks, count)])


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
