"""Random training tiles: one composed warp of image and mask, then one affine change of colour.

All geometry is one coordinate map from tile to image, so a pixel is interpolated once, and a rotated tile shows the
tissue that really surrounds it. Beyond the image's edge tissue is mirrored without repeating the edge pixel.
Displacement fields after Simard et al. 2003 (elastic distortion) and Ronneberger et al. 2015 (coarse random grid).
"""

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

GREY = np.array([0.299, 0.587, 0.114])  # luma of ITU-R BT.601
MID_GREY = 127.5


@dataclass(frozen=True)
class Augmentation:
    """How strongly tiles are varied; 0 or False leaves a property alone. Each is drawn uniformly and independently.

    flip: mirror left-right and up-down, each with probability 1/2. right_angle: turn by 0, 90, 180 or 270 degrees.
    rotation_deg, shear_deg, shift_px: within plus or minus the value. scale: zoom log-uniform in 1/(1+s) .. 1+s.
    elastic_px: standard deviation of each coordinate's displacement, from a grid with a node every elastic_grid_px.
    brightness, contrast, saturation: factor within 1 minus to 1 plus the value. hue_deg: turn around the grey axis.
    """

    flip: bool
    right_angle: bool
    rotation_deg: float
    scale: float
    shear_deg: float
    shift_px: float
    elastic_px: float
    elastic_grid_px: int
    brightness: float
    contrast: float
    saturation: float
    hue_deg: float

    @classmethod
    def none(cls) -> "Augmentation":
        """Leave tiles as they are."""
        return cls(False, False, 0.0, 0.0, 0.0, 0.0, 0.0, 1, 0.0, 0.0, 0.0, 0.0)

    @property
    def warps(self) -> bool:
        """Whether pixels fall between pixels, so that they have to be interpolated."""
        return any((self.rotation_deg, self.scale, self.shear_deg, self.shift_px, self.elastic_px))

    @property
    def recolours(self) -> bool:
        """Whether any colour changes."""
        return any((self.brightness, self.contrast, self.saturation, self.hue_deg))


def sample_rng(seed: int, epoch: int, sample: int) -> np.random.Generator:
    """Give the random numbers of one sample in one epoch, whatever worker, batch or resumed run asks for them."""
    return np.random.default_rng(np.random.SeedSequence((seed, epoch, sample)))


def plain_tile(
    image: UInt8[np.ndarray, "height width 3"],
    mask: UInt8[np.ndarray, "height width"],
    row: int,
    column: int,
    tile_px: int,
) -> tuple[UInt8[np.ndarray, "tile tile 3"], UInt8[np.ndarray, "tile tile"]]:
    """Cut the tile whose top-left pixel is (row, column), mirrored where it leaves the image."""
    image_part, mask_part = (_crop(pixels, row, column, tile_px, tile_px) for pixels in (image, mask))
    return np.array(image_part), np.array(mask_part)  # copies: a view would keep a memory map open


def augmented_tile(
    image: UInt8[np.ndarray, "height width 3"],
    mask: UInt8[np.ndarray, "height width"],
    row: int,
    column: int,
    tile_px: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "tile tile 3"], UInt8[np.ndarray, "tile tile"]]:
    """Cut the tile whose top-left pixel is (row, column), randomly warped around its centre and recoloured.

    The image may be memory-mapped: only the pixels needed are read. The mask takes the nearest pixel, so it gains no
    new class. With flips and right angles alone every pixel is an exact copy.
    """
    draws = rng.uniform(-1, 1, 12)  # always all of them: one setting changed does not move the others' numbers
    turn = _right_angles(augmentation, draws[:3])
    if augmentation.warps:
        matrix = turn @ _affine(augmentation, draws[3:6])
        map_x, map_y = coordinate_map(tile_px, matrix, augmentation.shift_px * draws[6:8])
        if augmentation.elastic_px:
            map_x += elastic_field(tile_px, augmentation.elastic_px, augmentation.elastic_grid_px, rng)
            map_y += elastic_field(tile_px, augmentation.elastic_px, augmentation.elastic_grid_px, rng)
        tile, truth = remap(image, mask, (row, column), map_x, map_y)
    else:
        tile, truth = (_turned(pixels, turn) for pixels in plain_tile(image, mask, row, column, tile_px))
    if augmentation.recolours:
        tile = cv2.transform(tile, colour_matrix(augmentation, draws[8:12]))  # rounds and clips to 0..255
    return tile, truth


def coordinate_map(
    tile_px: int, matrix: Float[np.ndarray, "2 2"], shift: Float[np.ndarray, "2"]
) -> tuple[Float32[np.ndarray, "tile tile"], Float32[np.ndarray, "tile tile"]]:
    """Say for each tile pixel which column (x) and row (y) it shows, both counted from the tile's own corner.

    `matrix` takes an offset (x, y) from the tile's centre to an offset in the image, `shift` moves it by (x, y) px.
    """
    middle = (tile_px - 1) / 2
    offsets = np.arange(tile_px) - middle
    steps = (matrix[:, :, None] * offsets).astype(np.float32)  # [x or y of the image, x or y of the tile, place]
    origin = (shift + middle).astype(np.float32)
    x, y = (across + down[:, None] + start for (across, down), start in zip(steps, origin, strict=True))
    return x, y


def elastic_field(
    tile_px: int, elastic_px: float, grid_px: int, rng: np.random.Generator
) -> Float32[np.ndarray, "tile tile"]:
    """Draw a smooth displacement, in pixels: noise on a grid with a node every grid_px, cubic in between."""
    weights, gain = _interpolation(tile_px, grid_px)
    nodes = weights.shape[1]
    noise = rng.standard_normal((nodes, nodes), dtype=np.float32) * np.float32(elastic_px / gain)
    return weights @ noise @ weights.T  # cv2.resize along both axes, 25 times faster


def remap(
    image: UInt8[np.ndarray, "height width 3"],
    mask: UInt8[np.ndarray, "height width"],
    corner: tuple[int, int],
    map_x: Float32[np.ndarray, "tile tile"],
    map_y: Float32[np.ndarray, "tile tile"],
) -> tuple[UInt8[np.ndarray, "tile tile 3"], UInt8[np.ndarray, "tile tile"]]:
    """Look up image (linear) and mask (nearest) at a map counted from corner (row, column), mirrored beyond edges."""
    top, left = math.floor(map_y.min()), math.floor(map_x.min())
    size = (math.ceil(map_y.max()) + 2 - top, math.ceil(map_x.max()) + 2 - left)
    maps = (map_x - np.float32(left), map_y - np.float32(top))
    part, part_mask = (_crop(pixels, corner[0] + top, corner[1] + left, *size) for pixels in (image, mask))
    return cv2.remap(part, *maps, cv2.INTER_LINEAR), cv2.remap(part_mask, *maps, cv2.INTER_NEAREST)


def colour_matrix(augmentation: Augmentation, draws: Float[np.ndarray, "4"]) -> Float[np.ndarray, "3 4"]:
    """Compose hue, saturation, contrast (around mid grey) and brightness, in this order, for draws in -1..1."""
    strengths = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    brightness, contrast, saturation = (1 + strength * draw for strength, draw in zip(strengths, draws, strict=False))
    towards_grey = saturation * np.eye(3) + (1 - saturation) * np.outer(np.ones(3), GREY)
    colours = brightness * contrast * towards_grey @ _hue_rotation(math.radians(augmentation.hue_deg * draws[3]))
    offset = brightness * (1 - contrast) * MID_GREY
    return np.column_stack([colours, np.full(3, offset)])


def _hue_rotation(angle: float) -> Float[np.ndarray, "3 3"]:
    # Rodrigues' rotation around (1, 1, 1): greys stay as they are.
    axis = 1 / math.sqrt(3)
    cross = axis * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    return math.cos(angle) * np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * np.full((3, 3), 1 / 3)


def _right_angles(augmentation: Augmentation, draws: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 2"]:
    # A signed permutation of x and y, from the tile to the image.
    mirrors = np.where(draws[:2] < 0, -1.0, 1.0) if augmentation.flip else np.ones(2)
    quarters = int((draws[2] + 1) * 2) % 4 if augmentation.right_angle else 0
    return np.diag(mirrors) @ np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), quarters)


def _turned(pixels: np.ndarray, turn: Float[np.ndarray, "2 2"]) -> np.ndarray:
    # The same turn as the map's, by strides: exact, and much faster than an interpolation.
    if turn[0, 0] == 0:
        pixels = pixels.swapaxes(0, 1)
    x_step, y_step = (int(step) for step in turn.sum(axis=0))
    return np.ascontiguousarray(pixels[::y_step, ::x_step])


def _affine(augmentation: Augmentation, draws: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 2"]:
    angle = math.radians(augmentation.rotation_deg * draws[0])
    zoom = (1 + augmentation.scale) ** draws[1]
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shear = np.array([[1.0, math.tan(math.radians(augmentation.shear_deg * draws[2]))], [0.0, 1.0]])
    return rotation @ shear / zoom  # from tile to image: a zoom of 2 steps by half a pixel


@cache
def _interpolation(tile_px: int, grid_px: int) -> tuple[Float32[np.ndarray, "tile nodes"], float]:
    # cv2's cubic weights of each node along one axis. cv2 puts nodes at cell centres and repeats the outermost half
    # cell, which is left out. Between nodes a weighted mean of noise varies less than at them: the mean sum of squared
    # weights is the factor on the variance of one axis, and, as both axes multiply, on the standard deviation.
    nodes = math.ceil(tile_px / grid_px) + 1
    stretched = cv2.resize(np.eye(nodes, dtype=np.float32), (nodes, nodes * grid_px), interpolation=cv2.INTER_CUBIC)
    weights = np.ascontiguousarray(stretched[grid_px // 2 :][:tile_px])
    return weights, float((weights**2).sum(axis=1).mean())


def _needed(first: int, end: int, size: int) -> tuple[int, int]:
    # The part of 0..size that first..end shows once mirrored at both ends, edges included where they are crossed.
    return max(0, min(first, 2 * size - 1 - end)), min(size, max(end, 1 - first))


def _crop(pixels: np.ndarray, row: int, column: int, height: int, width: int) -> np.ndarray:
    # Mirrored here and not by cv2.remap, which is slower where a map leaves the image.
    rows, columns = pixels.shape[:2]
    top, bottom = _needed(row, row + height, rows)
    left, right = _needed(column, column + width, columns)
    part = pixels[top:bottom, left:right]
    beyond = (max(-row, 0), max(row + height - rows, 0), max(-column, 0), max(column + width - columns, 0))
    if any(beyond):
        part = cv2.copyMakeBorder(part, *beyond, borderType=cv2.BORDER_REFLECT_101)
    return part[max(row, 0) - top :][:height, max(column, 0) - left :][:, :width]
