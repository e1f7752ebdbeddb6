"""Overlap-tile geometry: where the tiles lie, what they see beyond the border, how much each of their pixels counts.

Source: Ronneberger et al. 2015 (overlap-tile strategy, mirrored borders). Without torch, whatever predicts the tiles.
"""

from math import isqrt

import numpy as np
from jaxtyping import Float32, Float64, UInt8

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


def window_profile(tile_px: int, kind: str) -> Float64[np.ndarray, " tile"]:
    """How much a tile's pixels count along one side: all alike, or less towards the border; above 0, at most 1.

    A pixel counts as the product of its row's and its column's value. "gaussian" has a standard deviation of an eighth
    of the tile (Isensee et al. 2021, nnU-Net); "hann" is the raised cosine at pixel centres, whose shifted copies sum
    to a constant. Raises InputError for another word.
    """
    centres = (np.arange(tile_px) + 0.5) / tile_px
    profiles = {
        "constant": np.ones(tile_px),
        "gaussian": np.exp(-0.5 * ((centres - 0.5) / (1 / 8)) ** 2),
        "hann": np.sin(np.pi * centres) ** 2,
    }
    if kind not in profiles:
        raise InputError(f"window '{kind}'; expected one of {', '.join(profiles)}; set predict.window")
    return profiles[kind]


def blending_weights(tile_px: int, overlap: int, kind: str) -> Float32[np.ndarray, "tile tile"]:
    """The window divided by its sum over all tiles that see a pixel, so that the weights of each pixel sum to one.

    The sum needs no tiles: every pixel is seen by sqrt(overlap) tiles along each axis, one stride apart, also those at
    the image's border.

    >>> blending_weights(4, 4, "constant")[0]
    array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """
    profile = window_profile(tile_px, kind)
    sums = profile.reshape(-1, stride_px(tile_px, overlap)).sum(axis=0)
    share = profile / np.tile(sums, isqrt(overlap))
    return np.outer(share, share).astype(np.float32)
