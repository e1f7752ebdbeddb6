"""From an image of any size to class probabilities and instance maps: overlapping tiles, blended row by row."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from histoloom.networks import memory_format, network_input
from histoloom.predict.tiling import blend, mirrored_tile, tile_grid, window_weights
from histoloom.split.downsample import downsampled_image
from histoloom.targets import Outputs


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
) -> tuple[Float32[np.ndarray, "height width classes"], Float32[np.ndarray, "height width 2"] | None]:
    """Probabilities of card["classes"] at every pixel of the image, summing to one, and the instance maps.

    The maps, horizontal and vertical, are as the network gives them: from about -1 to 1 across each nucleus, whatever
    its size, and so at any resolution. They are None where card["has_maps"] is false or missing.
    The image is reduced by card["downsample"], cut into mirrored tiles of card["tile_px"] so that each pixel lies in
    `overlap` of them, predicted in batches at `precision`, blended by `window`, and brought back to its own grid.
    The network, in eval mode, is moved to `device`.
    """
    small = downsampled_image(image, card["downsample"])
    height, width = small.shape[:2]
    outputs = Outputs(tuple(card["classes"]), card.get("has_maps", False))
    network.to(device=device, memory_format=memory_format(device))
    predict = partial(_tile_values, network, outputs, device, precision)
    tiles = _predicted_tiles(predict, small, card["tile_px"], overlap, batch_size)
    values = np.empty((height, width, outputs.count), np.float32)
    for first, band in blend(tiles, height, width, outputs.count, window_weights(card["tile_px"], window)):
        values[first : first + len(band)] = band
    probabilities, maps = np.split(_native(values, card["downsample"], image.shape[:2]), [len(outputs.classes)], axis=2)
    return probabilities / probabilities.sum(axis=2, keepdims=True), maps if outputs.has_maps else None


def _predicted_tiles(
    predict: Callable[[np.ndarray], np.ndarray],
    image: UInt8[np.ndarray, "height width 3"],
    tile_px: int,
    overlap: int,
    batch_size: int,
) -> Iterator[tuple[int, int, Float32[np.ndarray, "tile tile channels"]]]:
    grid = tile_grid(*image.shape[:2], tile_px, overlap)
    for first in range(0, len(grid), batch_size):
        corners = grid[first : first + batch_size]
        tiles = np.stack([mirrored_tile(image, row, column, tile_px) for row, column in corners])
        for (row, column), values in zip(corners, predict(tiles), strict=True):
            yield row, column, values


@torch.inference_mode()
def _tile_values(
    network: nn.Module,
    outputs: Outputs,
    device: torch.device,
    precision: torch.dtype,
    tiles: UInt8[np.ndarray, "n tile tile 3"],
) -> Float32[np.ndarray, "n tile tile channels"]:
    images = network_input(torch.from_numpy(tiles).to(device))
    with torch.autocast(device.type, precision, enabled=precision != torch.float32):
        output = network(images)
    values = outputs.class_probabilities(output)
    if outputs.has_maps:
        values = torch.cat([values, outputs.instance_maps(output).float()], dim=1)
    return values.permute(0, 2, 3, 1).cpu().numpy()


def _native(
    values: Float32[np.ndarray, "small_height small_width channels"], factor: int, shape: tuple[int, int]
) -> Float32[np.ndarray, "height width channels"]:
    if factor == 1:
        return values
    # Each pixel stands for a block of factor x factor; the last blocks may reach beyond the image.
    size = (values.shape[1] * factor, values.shape[0] * factor)
    return cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]]
