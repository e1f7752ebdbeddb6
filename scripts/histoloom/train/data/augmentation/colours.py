"""Colours of training tiles: how strongly tissue is stained, then the camera's colours, blur, noise and compression."""

import math
from statistics import NormalDist

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from histoloom.train.data.augmentation.strengths import Augmentation

GREY = np.array([0.299, 0.587, 0.114])  # luma of ITU-R BT.601
MID_GREY = 127.5
WHITE = math.log(255)
# Optical density of haematoxylin and of eosin in red, green and blue: Ruifrok and Johnston 2001.
STAINS = np.array([(0.65, 0.70, 0.29), (0.07, 0.99, 0.11)])
# Columns: the density of one unit of each stain, and the direction perpendicular to both, which neither explains.
DENSITIES = np.vstack([STAINS, np.cross(*STAINS)]).T
UNMIXING = np.linalg.inv(DENSITIES)
LOGARITHMS = np.log(np.maximum(np.arange(256), 1)).astype(np.float32)  # 0, which has none, counts as 1
# 256 equally likely values of a normal distribution with standard deviation 1: a random byte says which. NumPy's own
# normal numbers take ten times as long.
NORMAL = np.array([NormalDist().inv_cdf((place + 0.5) / 256) for place in range(256)])
NORMAL /= NORMAL.std()
DRAWS = 9  # random numbers in -1..1 that the colours of a tile take: matrix 4, stain 2, blur, noise, JPEG

Tile = UInt8[np.ndarray, "height width 3"]


def recoloured(tile: Tile, augmentation: Augmentation, draws: Float[np.ndarray, "9"], noise_seed: int) -> Tile:
    """Change the colours of an RGB tile as `augmentation` asks, in the order of how an image comes about.

    `draws` in -1..1: brightness, contrast, saturation, hue, haematoxylin, eosin, blur, noise, quality.
    """
    shares = (1 + draws[6:]) / 2
    if augmentation.stain:
        tile = restained(tile, 1 + augmentation.stain * draws[4:6])
    if augmentation.shifts_colours:
        tile = cv2.transform(tile, colour_matrix(augmentation, draws[:4]))  # rounds and clips to 0..255
    if augmentation.blur_px:
        tile = blurred(tile, augmentation.blur_px * float(shares[0]))
    if augmentation.noise:
        tile = noisy(tile, augmentation.noise * float(shares[1]), np.random.default_rng(noise_seed))
    if augmentation.jpeg:
        tile = compressed(tile, augmentation.jpeg + int((101 - augmentation.jpeg) * shares[2]))
    return tile


def restained(tile: Tile, factors: Float[np.ndarray, "2"]) -> Tile:
    """Multiply the amounts of haematoxylin and of eosin in each pixel by `factors`; what is neither stays.

    Optical density is the logarithm of 255 over the pixel's value; a value of 0 counts as 1. White stays white.
    Sources: Ruifrok and Johnston 2001 (stains); Tellez et al. 2018 (as augmentation).
    """
    change = stain_matrix(factors)
    # With l = log(value) the density is log(255) - l, so the new l is change @ l + log(255) (1 - change @ 1).
    affine = np.column_stack([change, WHITE * (1 - change.sum(axis=1))])
    logarithms = cv2.transform(cv2.LUT(tile, LOGARITHMS), affine)
    # Rounds and clips to 0..255; the largest value, with a factor 2 on a saturated colour, is e^20.8, which fits int32.
    return cv2.convertScaleAbs(cv2.exp(logarithms, logarithms))


def stain_matrix(factors: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3 3"]:
    """The change of a column of optical densities (red, green, blue) that multiplies both stains by `factors`.

    What neither stain explains is left alone.
    """
    return (DENSITIES * (*factors, 1.0)) @ UNMIXING


def colour_matrix(augmentation: Augmentation, draws: Float[np.ndarray, "4"]) -> Float[np.ndarray, "3 4"]:
    """Compose hue, saturation, contrast (around mid grey) and brightness, in this order, for draws in -1..1."""
    strengths = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    brightness, contrast, saturation = (1 + strength * draw for strength, draw in zip(strengths, draws, strict=False))
    towards_grey = saturation * np.eye(3) + (1 - saturation) * np.outer(np.ones(3), GREY)
    colours = brightness * contrast * towards_grey @ _hue_rotation(math.radians(augmentation.hue_deg * draws[3]))
    offset = brightness * (1 - contrast) * MID_GREY
    return np.column_stack([colours, np.full(3, offset)])


def blurred(tile: Tile, sigma_px: float) -> Tile:
    """Blur by a Gaussian of standard deviation `sigma_px`, cut off at three of them, mirrored at the tile's border."""
    side = 2 * math.ceil(3 * sigma_px) + 1
    return cv2.GaussianBlur(tile, (side, side), sigma_px, borderType=cv2.BORDER_REFLECT_101)


def noisy(tile: Tile, deviation: float, rng: np.random.Generator) -> Tile:
    """Add normal noise of standard deviation `deviation` in grey levels, by itself in each pixel and channel.

    Noise is rounded to whole grey levels, goes no further than 2.9 deviations, and values are cut at 0 and 255.
    """
    which = rng.integers(2**64, size=-(-tile.size // 8), dtype=np.uint64).view(np.uint8)  # half the time of rng.bytes
    levels = np.rint(128 + deviation * NORMAL).astype(np.uint8)  # fits up to a deviation of 43
    noise = cv2.LUT(which[: tile.size].reshape(tile.shape), levels)
    middle = np.full_like(noise, 128)
    brighter, darker = cv2.subtract(noise, middle), cv2.subtract(middle, noise)  # one of them is 0
    return cv2.subtract(cv2.add(tile, brighter), darker)


def compressed(tile: Tile, quality: int) -> Tile:
    """What is left of an RGB tile after JPEG of `quality` 1 to 100, colours at half the resolution as is usual."""
    _, file = cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _hue_rotation(angle: float) -> Float[np.ndarray, "3 3"]:
    # Rodrigues' rotation around (1, 1, 1): greys stay as they are.
    axis = 1 / math.sqrt(3)
    cross = axis * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    return math.cos(angle) * np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * np.full((3, 3), 1 / 3)
