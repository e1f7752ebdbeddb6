"""From an image of any size to class probabilities: overlapping tiles through a network, blended row by row."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from histoloom.networks import network_input
from histoloom.predict.tiling import blend, mirrored_tile, tile_grid, window_weights
from histoloom.split.downsample import downsampled_image
from histoloom.targets import class_probabilities


def predict_image(
    network: nn.Module,
    card: Mapping[str, Any],
    image: UInt8[np.ndarray, "height width 3"],
    *,
    overlap: int,
    window: str,
    batch_size: int,
    device: torch.device,
    precision: torch.dtype,
) -> Float32[np.ndarray, "height width classes"]:
    """Probabilities of card["classes"] at every pixel of the image, summing to one.

    The image is reduced by card["downsample"], cut into mirrored tiles of card["tile_px"] so that each pixel lies in
    `overlap` of them, predicted in batches at `precision`, blended by `window`, and brought back to its own grid.
    The network, in eval mode, is moved to `device`.
    """
    small = downsampled_image(image, card["downsample"])
    height, width = small.shape[:2]
    class_count = len(card["classes"])
    network.to(device=device, memory_format=torch.channels_last)
    predict = partial(_tile_probabilities, network, card["classes"], device, precision)
    tiles = _predicted_tiles(predict, small, card["tile_px"], overlap, batch_size)
    probabilities = np.empty((height, width, class_count), np.float32)
    for first, band in blend(tiles, height, width, class_count, window_weights(card["tile_px"], window)):
        probabilities[first : first + len(band)] = band
    return _native(probabilities, card["downsample"], image.shape[:2])


def _predicted_tiles(
    predict: Callable[[np.ndarray], np.ndarray],
    image: UInt8[np.ndarray, "height width 3"],
    tile_px: int,
    overlap: int,
    batch_size: int,
) -> Iterator[tuple[int, int, Float32[np.ndarray, "tile tile classes"]]]:
    grid = tile_grid(*image.shape[:2], tile_px, overlap)
    for first in range(0, len(grid), batch_size):
        corners = grid[first : first + batch_size]
        tiles = np.stack([mirrored_tile(image, row, column, tile_px) for row, column in corners])
        for (row, column), values in zip(corners, predict(tiles), strict=True):
            yield row, column, values


@torch.inference_mode()
def _tile_probabilities(
    network: nn.Module,
    classes: Sequence[str],
    device: torch.device,
    precision: torch.dtype,
    tiles: UInt8[np.ndarray, "n tile tile 3"],
) -> Float32[np.ndarray, "n tile tile classes"]:
    images = network_input(torch.from_numpy(tiles).to(device))
    with torch.autocast(device.type, precision, enabled=precision != torch.float32):
        output = network(images)
    return class_probabilities(output, classes).permute(0, 2, 3, 1).cpu().numpy()


def _native(
    probabilities: Float32[np.ndarray, "small_height small_width classes"], factor: int, shape: tuple[int, int]
) -> Float32[np.ndarray, "height width classes"]:
    if factor > 1:
        # Each pixel stands for a block of factor x factor; the last blocks may reach beyond the image.
        size = (probabilities.shape[1] * factor, probabilities.shape[0] * factor)
        probabilities = cv2.resize(probabilities, size, interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]]
    return probabilities / probabilities.sum(axis=2, keepdims=True)
