"""Training tiles: a square of an image and its truth, as it is or randomly warped and recoloured."""

import numpy as np
from jaxtyping import UInt8

from histoloom.mirroring import mirrored
from histoloom.train.data.augmentation import colours, warps
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.augmentation.warps import Labels, TileLabels


def sample_rng(seed: int, epoch: int, sample: int) -> np.random.Generator:
    """Give the random numbers of one sample in one epoch, whatever worker, batch or resumed run asks for them."""
    return np.random.default_rng(np.random.SeedSequence((seed, epoch, sample)))


def plain_tile(
    image: UInt8[np.ndarray, "height width 3"], labels: tuple[Labels, ...], row: int, column: int, tile_px: int
) -> tuple[UInt8[np.ndarray, "tile tile 3"], tuple[TileLabels, ...]]:
    """Cut the tile whose top-left pixel is (row, column), mirrored where it leaves the image, with its labels."""
    return _cut(image, labels, row, column, tile_px, np.eye(2))


def augmented_tile(
    image: UInt8[np.ndarray, "height width 3"],
    labels: tuple[Labels, ...],
    row: int,
    column: int,
    tile_px: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "tile tile 3"], tuple[TileLabels, ...]]:
    """Cut the tile whose top-left pixel is (row, column), randomly warped around its centre and recoloured.

    `labels` are the mask (uint8) and, where there are any, the nuclei's ids (int32); they take the nearest pixel.
    Mirror images of nuclei get ids of their own. Arrays may be memory-mapped: only the pixels needed are read. With
    flips and right angles alone every pixel is an exact copy.
    """
    # Always all of them, each in its place: one setting changed moves no other property's numbers. What takes more or
    # less of them by its settings comes last (elastic nodes) or from a seed of its own (noise).
    draws = rng.uniform(-1, 1, warps.DRAWS + colours.DRAWS)
    noise_seed = int(rng.integers(2**63))
    turn = warps.right_angles(augmentation, draws[:3])
    if augmentation.warps:
        maps = warps.warp_maps(tile_px, turn, augmentation, draws[3 : warps.DRAWS], rng)
        tile, truth = warps.remap(image, labels, (row, column), *maps)
    else:
        tile, truth = _cut(image, labels, row, column, tile_px, turn)
    return colours.recoloured(tile, augmentation, draws[warps.DRAWS :], noise_seed), truth


def _cut(
    image: np.ndarray, labels: tuple[np.ndarray, ...], row: int, column: int, tile_px: int, turn: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    # Copies: a view would keep a memory map open.
    parts = (mirrored(each, row, column, tile_px, tile_px) for each in (image, *labels))
    tile, *truth = (warps.turned(part, turn) for part in parts)
    return tile, tuple(truth)
