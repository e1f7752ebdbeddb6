"""Overlap-tile geometry: where the tiles lie, what they see beyond the border, and how they blend into rows.

Source: Ronneberger et al. 2015 (overlap-tile strategy, mirrored borders). Without torch, whatever gives the tiles.
"""

from collections.abc import Iterable, Iterator
from math import isqrt

import numpy as np
from jaxtyping import Float32, UInt8

from histoloom.errors import InputError
from histoloom.mirroring import mirrored_part

OVERLAPS = (1, 4, 9, 16)
WINDOWS = ("constant", "gaussian", "hann")


def stride_px(tile_px: int, overlap: int) -> int:
    """Pixels from one tile to the next so that every pixel lies in `overlap` tiles: tile_px / sqrt(overlap)."""
    root = isqrt(overlap)
    if overlap not in OVERLAPS:
        raise InputError(f"overlap {overlap}; expected one of {', '.join(map(str, OVERLAPS))}; set predict.overlap")
    if tile_px % root:
        raise InputError(
            f"overlap {overlap} of tiles of {tile_px} px; expected a tile_px divisible by {root}; "
            "set predict.overlap or tiles.tile_px"
        )
    return tile_px // root


def tile_grid(height: int, width: int, tile_px: int, overlap: int) -> list[tuple[int, int]]:
    """Top-left corners (row, column) of all tiles, row by row, in the frame of an image of any size.

    Every pixel lies in exactly `overlap` tiles, so tiles leave the image on all sides (see `mirrored_tile`): the first
    start at -(tile_px - stride), the last are the last that touch the image.
    """
    stride = stride_px(tile_px, overlap)
    rows, columns = (range(stride - tile_px, length, stride) for length in (height, width))
    return [(row, column) for row in rows for column in columns]


def mirrored_tile(
    image: UInt8[np.ndarray, "height width 3"], row: int, column: int, tile_px: int
) -> UInt8[np.ndarray, "tile tile 3"]:
    """The square at (row, column), continued beyond the image by mirrors at its border pixels, as often as needed.

    The border pixel itself is not doubled (cba|abc would be: this is cb|abc), as OpenCV's BORDER_REFLECT_101.
    """
    return mirrored_part(image, row, column, tile_px, tile_px)


def window_weights(tile_px: int, kind: str) -> Float32[np.ndarray, "tile tile"]:
    """How much each pixel of a tile counts where tiles overlap: all alike, or less towards the tile's border.

    "gaussian" has a standard deviation of an eighth of the tile (Isensee et al. 2021, nnU-Net); "hann" is the raised
    cosine at pixel centres, whose shifted copies sum to a constant. All weights are above 0, none above 1.
    """
    centres = (np.arange(tile_px) + 0.5) / tile_px
    profiles = {
        "constant": np.ones(tile_px),
        "gaussian": np.exp(-0.5 * ((centres - 0.5) / (1 / 8)) ** 2),
        "hann": np.sin(np.pi * centres) ** 2,
    }
    if kind not in profiles:
        raise InputError(f"window '{kind}'; expected one of {', '.join(profiles)}; set predict.window")
    return np.outer(profiles[kind], profiles[kind]).astype(np.float32)


def blend(
    tiles: Iterable[tuple[int, int, Float32[np.ndarray, "tile tile channels"]]],
    height: int,
    width: int,
    channels: int,
    window: Float32[np.ndarray, "tile tile"],
) -> Iterator[tuple[int, Float32[np.ndarray, "rows width channels"]]]:
    """Weighted mean of overlapping tiles, as bands (first row, rows) from top to bottom that make up the image.

    Tiles come row by row from top to bottom. Rows that no later tile can reach are handed on and forgotten: the
    accumulator holds one band of `tile_px` rows, whatever the height. Pixels that no tile covers are 0.
    """
    tile_px = len(window)
    weights = np.repeat(window[..., None], channels, axis=2)
    sums = np.zeros((2, tile_px, width, channels), np.float32)  # of weighted values, and of weights
    top = -tile_px  # row of the image that the accumulator starts at
    for row, column, values in tiles:
        if row < top:
            raise ValueError(f"tile at row {row} after one at row {top}; expected tiles from top to bottom")
        yield from _finished(sums, top, row, height)
        top = row
        left, right = max(column, 0), min(column + tile_px, width)
        inside = slice(left - column, right - column)
        sums[0, :, left:right] += values[:, inside] * weights[:, inside]
        sums[1, :, left:right] += weights[:, inside]
    yield from _finished(sums, top, height, height)


def _finished(
    sums: Float32[np.ndarray, "2 tile width channels"], top: int, until: int, height: int
) -> Iterator[tuple[int, Float32[np.ndarray, "rows width channels"]]]:
    # Hand on the means of rows top..until that lie in the image, and move the accumulator down to `until`.
    tile_px = sums.shape[1]
    while top < until:
        count = min(until - top, tile_px)
        first, last = max(top, 0), min(top + count, height)
        if first < last:
            values, weights = sums[:, first - top : last - top]
            yield first, np.divide(values, weights, out=np.zeros_like(values), where=weights > 0)
        sums[:, : tile_px - count] = sums[:, count:]
        sums[:, tile_px - count :] = 0
        top += count
