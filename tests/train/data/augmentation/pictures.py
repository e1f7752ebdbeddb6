"""Images whose warped and recoloured tiles can be foretold, and the strengths that the tests use."""

from dataclasses import replace

import cv2
import numpy as np

from histoloom.train.data.augmentation.strengths import Augmentation

NONE = Augmentation.none()
WARP = replace(
    NONE,
    flip=True,
    right_angle=True,
    rotation_deg=30.0,
    scale=0.25,
    shear_deg=8.0,
    shift_px=12.0,
    elastic_px=2.0,
    elastic_grid_px=32,
    gaussian_px=6.0,
    gaussian_width_px=20.0,
    barrel=0.1,
)
COLOURS = replace(
    NONE,
    stain=0.2,
    brightness=0.2,
    contrast=0.2,
    saturation=0.3,
    hue_deg=10.0,
    blur_px=1.0,
    noise=5.0,
    jpeg=50,
)
FULL = replace(WARP, **COLOURS.active)


def noise_image(height=120, width=150, seed=0):
    """An image and a mask of unrelated pixels."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, rng.choice(np.array([0, 1, 3, 255], dtype=np.uint8), (height, width))


def blob_image(size=200):
    """Large discs, so that few pixels lie on an edge; the red channel is the mask times 50."""
    mask = np.zeros((size, size), np.uint8)
    for value, (x, y) in enumerate(((40, 50), (120, 60), (70, 140), (160, 150)), start=1):
        cv2.circle(mask, (x, y), 30, value, -1)
    return np.dstack([mask * 50, mask * 0, mask * 0]), mask


def places_image(size=256):
    """Each pixel says where it is: red its column, green its row; as large as bytes can say."""
    places = np.arange(size, dtype=np.uint8)
    return np.dstack([*np.meshgrid(places, places), np.zeros((size, size), np.uint8)])


def ids_image(height=120, width=150):
    """A nucleus id of its own for each pixel, far beyond 16 bits, with bytes that all differ."""
    return (np.arange(height * width, dtype=np.int32) * 100_003 + 70_000).reshape(height, width)
