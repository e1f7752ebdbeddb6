"""Overlap-tile geometry: how far tiles lie from each other, and how much each of their pixels counts.

Source: Ronneberger et al. 2015 (overlap-tile strategy, mirrored borders). Without torch, whatever predicts the tiles.
"""

from math import isqrt

import numpy as np
from jaxtyping import Float32, Float64

from histoloom.errors import InputError

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
