"""A demo slide: one drawn scene on glass, written as scanners write slides, a tiled pyramid that states its µm."""

from pathlib import Path

import numpy as np
import tifffile
from jaxtyping import UInt8

from histoloom.files import atomic_folder
from histoloom.prepare.demo.datasets import mark, refuse_foreign
from histoloom.prepare.demo.images import TISSUES, draw_scene, draw_staining

NAME = "Demo slide (Breast).tif"  # a name as people give it, for which the workflow has a slug
TISSUE, TISSUE_PX, SLIDE_PX = "Breast", (640, 896), (1024, 1280)
MPP = 0.25  # at which nuclei are drawn
LEVELS = 2
TILE_PX = 256
ROUNDNESS = 4  # of the tissue's outline: 2 is an ellipse, more is nearer to a rectangle


def write_slide(folder: Path, seed: int) -> None:
    """Write one slide of 1280 x 1024 pixels, tissue in its middle.

    Raises InputError where `folder` holds anything that this function did not make.
    """
    refuse_foreign(folder)
    levels = [_drawn(np.random.default_rng((seed, 3)))]
    for _ in range(LEVELS - 1):
        levels.append(_halved(levels[-1]))
    centimetre = 1e4 / MPP
    with atomic_folder(folder) as part, tifffile.TiffWriter(part / NAME) as file:
        for level, pixels in enumerate(levels):
            file.write(
                pixels,
                tile=(TILE_PX, TILE_PX),
                photometric="rgb",
                compression="deflate",
                subfiletype=1 if level else 0,
                resolution=(centimetre / 2**level,) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
            )
        mark(part, seed)


def _drawn(rng: np.random.Generator) -> UInt8[np.ndarray, "height width 3"]:
    staining = draw_staining(rng)
    scene = draw_scene(TISSUE_PX, TISSUES[TISSUE], staining, 1.0, rng).image
    glass = np.clip(np.rint(staining.light), 0, 255).astype(np.uint8)
    slide = np.broadcast_to(glass, (*SLIDE_PX, 3)).copy()
    top, left = ((whole - part) // 2 for whole, part in zip(SLIDE_PX, TISSUE_PX, strict=True))
    rows, columns = (np.abs(np.linspace(-1, 1, side)) ** ROUNDNESS for side in TISSUE_PX)
    is_tissue = rows[:, None] + columns <= 1
    slide[top : top + TISSUE_PX[0], left : left + TISSUE_PX[1]][is_tissue] = scene[is_tissue]
    return slide


def _halved(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "rows columns 3"]:
    height, width = (side // 2 for side in pixels.shape[:2])
    return np.rint(pixels.reshape(height, 2, width, 2, 3).mean(axis=(1, 3))).astype(np.uint8)
