"""Geometry of training tiles: one coordinate map composed of all distortions, and one look-up of each array by it.

So a pixel is interpolated once, and a rotated tile shows the tissue that really surrounds it. From tile to image the
map is a lens, then shear and zoom, rotation, right angle and mirrors around the centre, the shift, the displacements.
Sources: Simard et al. 2003 (elastic distortion), Ronneberger et al. 2015 (coarse random grid), Brown 1966 (radial
distortion of lenses).
"""

import math
from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from histoloom.mirroring import mirrored
from histoloom.train.data.augmentation.strengths import Augmentation

Labels = UInt8[np.ndarray, "height width"] | Int32[np.ndarray, "height width"]
TileLabels = UInt8[np.ndarray, "tile tile"] | Int32[np.ndarray, "tile tile"]
DRAWS = 13  # random numbers in -1..1 that the geometry of a tile takes: turn 3, affine 3, shift 2, bump 4, lens 1
FLIP_CODES = {(1, -1): 0, (-1, 1): 1, (-1, -1): -1}  # cv2's, by the step along x and y


def right_angles(augmentation: Augmentation, draws: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 2"]:
    """Mirrors and quarter turns as a signed permutation that takes an offset (x, y) in the tile to one in the image."""
    mirrors = np.where(draws[:2] < 0, -1.0, 1.0) if augmentation.flip else np.ones(2)
    quarters = int((draws[2] + 1) * 2) % 4 if augmentation.right_angle else 0
    return np.diag(mirrors) @ np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), quarters)


def turned(pixels: np.ndarray, turn: Float[np.ndarray, "2 2"]) -> np.ndarray:
    """A copy of a square turned by a signed permutation: what the map would give, exact and without interpolation."""
    if turn[0, 0] == 0:
        pixels = cv2.transpose(pixels)
    steps = tuple(int(step) for step in turn.sum(axis=0))
    return cv2.flip(pixels, FLIP_CODES[steps]) if steps in FLIP_CODES else np.array(pixels)


def warp_maps(
    tile_px: int,
    turn: Float[np.ndarray, "2 2"],
    augmentation: Augmentation,
    draws: Float[np.ndarray, "10"],
    rng: np.random.Generator,
) -> tuple[Float32[np.ndarray, "{tile_px} {tile_px}"], Float32[np.ndarray, "{tile_px} {tile_px}"]]:
    """Compose what `augmentation` asks for: which column (x) and row (y) each tile pixel shows, from the tile's corner.

    `draws` in -1..1 are those after the right angles: affine 3, shift 2, bump 4, lens 1; `rng` draws elastic nodes.
    """
    matrix, shift = turn @ _affine(augmentation, draws[:3]), augmentation.shift_px * draws[3:5]
    map_x, map_y = coordinate_map(tile_px, matrix, shift, augmentation.barrel * float(draws[9]))
    if augmentation.elastic_px:
        map_x += elastic_field(tile_px, augmentation.elastic_px, augmentation.elastic_grid_px, rng)
        map_y += elastic_field(tile_px, augmentation.elastic_px, augmentation.elastic_grid_px, rng)
    if augmentation.gaussian_px:
        centre = (tile_px - 1) / 2 * (1 + draws[5:7])
        peak_px, angle = augmentation.gaussian_px * (1 + draws[8]) / 2, math.pi * draws[7]
        bump = gaussian_bump(tile_px, centre, augmentation.gaussian_width_px)
        map_x += np.float32(peak_px * math.cos(angle)) * bump
        map_y += np.float32(peak_px * math.sin(angle)) * bump
    return map_x, map_y


def coordinate_map(
    tile_px: int, matrix: Float[np.ndarray, "2 2"], shift: Float[np.ndarray, "2"], barrel: float = 0.0
) -> tuple[Float32[np.ndarray, "{tile_px} {tile_px}"], Float32[np.ndarray, "{tile_px} {tile_px}"]]:
    """Say for each tile pixel which column (x) and row (y) it shows, both counted from the tile's own corner.

    `matrix` takes an offset (x, y) from the tile's centre to an offset in the image, `shift` moves it by (x, y) px.
    Before that a lens takes distance r from the centre to r (1 + barrel (r / R)^2), R being half the tile's diagonal:
    above 0 the corners show what lies further out (barrel), below 0 what lies further in (pincushion).
    """
    middle = (tile_px - 1) / 2
    offsets = np.arange(tile_px) - middle
    steps = (matrix[:, :, None] * offsets).astype(np.float32)  # [x or y of the image, x or y of the tile, place]
    x, y = (across + down[:, None] for across, down in steps)
    if barrel:
        lens = 1 + np.float32(barrel) * _squared_radius(tile_px)
        x *= lens
        y *= lens
    start = (shift + middle).astype(np.float32)
    x += start[0]
    y += start[1]
    return x, y


def elastic_field(
    tile_px: int, elastic_px: float, grid_px: int, rng: np.random.Generator
) -> Float32[np.ndarray, "{tile_px} {tile_px}"]:
    """Draw a smooth displacement, in pixels: noise on a grid with a node every grid_px, cubic in between."""
    weights, gain = _interpolation(tile_px, grid_px)
    nodes = weights.shape[1]
    noise = rng.standard_normal((nodes, nodes), dtype=np.float32) * np.float32(elastic_px / gain)
    return weights @ noise @ weights.T  # cv2.resize along both axes, 25 times faster


def gaussian_bump(
    tile_px: int, centre: Float[np.ndarray, "2"], width_px: float
) -> Float32[np.ndarray, "{tile_px} {tile_px}"]:
    """exp(-d^2 / (2 width_px^2)) for the distance d of each pixel from `centre` (x, y): 1 there, 0.607 at the width."""
    distances = (np.arange(tile_px) - centre[:, None]) / width_px
    across, down = np.exp(-0.5 * distances**2).astype(np.float32)
    return across * down[:, None]


def remap(
    image: UInt8[np.ndarray, "height width 3"],
    labels: tuple[Labels, ...],
    corner: tuple[int, int],
    map_x: Float32[np.ndarray, "tile tile"],
    map_y: Float32[np.ndarray, "tile tile"],
) -> tuple[UInt8[np.ndarray, "tile tile 3"], tuple[TileLabels, ...]]:
    """Look up image (linear) and labels (nearest) at a map counted from corner (row, column), mirrored beyond edges."""
    top, left = math.floor(map_y.min()), math.floor(map_x.min())
    size = (math.ceil(map_y.max()) + 2 - top, math.ceil(map_x.max()) + 2 - left)
    maps = (map_x - np.float32(left), map_y - np.float32(top))
    # Mirrored before and not by cv2.remap, which is slower where a map leaves the image.
    part, *parts = (mirrored(each, corner[0] + top, corner[1] + left, *size) for each in (image, *labels))
    # With a fourth channel OpenCV's remap is twice as fast, and the other three come out the same.
    tile = cv2.remap(cv2.cvtColor(part, cv2.COLOR_RGB2RGBA), *maps, cv2.INTER_LINEAR)
    return cv2.cvtColor(tile, cv2.COLOR_RGBA2RGB), tuple(_nearest(parts, maps))


def _nearest(parts: Iterable[np.ndarray], maps: tuple[np.ndarray, np.ndarray]) -> Iterable[np.ndarray]:
    # cv2.remap takes no int32. The four bytes of an id travel as four channels, which nearest copies as they are.
    for part in parts:
        channels = part if part.dtype == np.uint8 else part[..., None].view(np.uint8)
        found = cv2.remap(channels, *maps, cv2.INTER_NEAREST)
        yield found if part.dtype == np.uint8 else found.view(part.dtype)[..., 0]


def _affine(augmentation: Augmentation, draws: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 2"]:
    angle = math.radians(augmentation.rotation_deg * draws[0])
    zoom = (1 + augmentation.scale) ** draws[1]
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shear = np.array([[1.0, math.tan(math.radians(augmentation.shear_deg * draws[2]))], [0.0, 1.0]])
    return rotation @ shear / zoom  # from tile to image: a zoom of 2 steps by half a pixel


@cache
def _squared_radius(tile_px: int) -> Float32[np.ndarray, "{tile_px} {tile_px}"]:
    # Of each pixel's distance from the centre, as a share of half the diagonal.
    squares = (np.arange(tile_px) - (tile_px - 1) / 2) ** 2
    return ((squares + squares[:, None]) / (tile_px**2 / 2)).astype(np.float32)


@cache
def _interpolation(tile_px: int, grid_px: int) -> tuple[Float32[np.ndarray, "{tile_px} nodes"], float]:
    # cv2's cubic weights of each node along one axis. cv2 puts nodes at cell centres and repeats the outermost half
    # cell, which is left out. Between nodes a weighted mean of noise varies less than at them: the mean sum of squared
    # weights is the factor on the variance of one axis, and, as both axes multiply, on the standard deviation.
    nodes = math.ceil(tile_px / grid_px) + 1
    stretched = cv2.resize(np.eye(nodes, dtype=np.float32), (nodes, nodes * grid_px), interpolation=cv2.INTER_CUBIC)
    weights = np.ascontiguousarray(stretched[grid_px // 2 :][:tile_px])
    return weights, float((weights**2).sum(axis=1).mean())
