"""A small network with border effects, and what overlapping tiles should give of it, written out in float64."""

import copy

import numpy as np
import torch
from torch import nn

from histoloom.mirroring import mirrored_part
from histoloom.predict.engine.engine import Engine, EngineSettings
from histoloom.predict.engine.handover import on_host
from histoloom.predict.engine.pixels import ImagePixels
from histoloom.predict.engine.tiling import stride_px, window_profile

TILE = 24  # divisible by 1, 2, 3 and 4
CLASSES = ["background", "stroma", "nucleus"]
CARD = {"network": "made", "classes": CLASSES, "has_maps": True, "tile_px": TILE, "downsample": 1}


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def made_network(seed=0, outputs=5, spread=1.0):
    """Two convolutions with random weights; what they see beyond a tile is 0, so tiles disagree at their borders."""
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 6, 5, padding=2), nn.Tanh(), nn.Conv2d(6, outputs, 5, padding=2)
    network = nn.Sequential(*layers).eval()
    with torch.no_grad():
        network[2].weight.mul_(4 * spread)
    return network


def made_engine(*networks, card=CARD, **settings):
    values = {"overlap": 4, "window": "hann", "batch_size": 3, "precision": "float32"} | settings
    return Engine(networks or [made_network()], card, EngineSettings(**values), torch.device("cpu"))


def swept(engine, image, tissue=None, first_row=0):
    """All bands in one array, which have to follow each other without gap from the first row to the last."""
    pixels = ImagePixels(image) if isinstance(image, np.ndarray) else image
    rows, bands = first_row, []
    for first, (band,) in on_host(engine.sweep(pixels, tissue, first_row), lambda values: (values,)):
        assert first == rows
        rows += len(band)
        bands.append(band)
    assert rows == pixels.height
    return np.concatenate(bands)


def tile_values(network, tile, class_count=3):
    """Probabilities and maps of one tile, in float64."""
    with torch.no_grad():
        images = torch.from_numpy(np.ascontiguousarray(tile)).permute(2, 0, 1)[None].double() / 127.5 - 1
        output = copy.deepcopy(network).double()(images)
    parts = output[:, :class_count].softmax(1), output[:, class_count:]
    return torch.cat(parts, 1)[0].permute(1, 2, 0).numpy()


def tile_grid(height, width, tile_px, overlap):
    """Top-left corners (row, column) of all tiles, row by row: each pixel lies in exactly `overlap` of them."""
    stride = stride_px(tile_px, overlap)
    rows, columns = (range(stride - tile_px, length, stride) for length in (height, width))
    return [(row, column) for row in rows for column in columns]


def by_definition(values_of_tile, image, overlap, window, tile_px=TILE):
    """Sum over all tiles weighted by the window, over the sum of weights: on a canvas wider than any tile reaches."""
    height, width = image.shape[:2]
    profile = window_profile(tile_px, window)
    weight = np.outer(profile, profile)[..., None]
    sums, weights = 0, np.zeros((height + 2 * tile_px, width + 2 * tile_px, 1))
    for row, column in tile_grid(height, width, tile_px, overlap):
        values = values_of_tile(mirrored_part(image, row, column, tile_px, tile_px))
        sums = np.zeros((*weights.shape[:2], values.shape[2])) if isinstance(sums, int) else sums
        place = np.s_[row + tile_px : row + 2 * tile_px, column + tile_px : column + 2 * tile_px]
        sums[place] += values * weight
        weights[place] += weight
    inside = np.s_[tile_px : tile_px + height, tile_px : tile_px + width]
    return sums[inside] / weights[inside]
