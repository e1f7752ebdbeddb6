"""What benchmarks/inference.py predicts: a made image and made slide of H&E-like tissue, and networks taught on it."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]

from tests.slides.made_slides import MadeTissue, write_pyramid

from histoloom.networks import build_network, network_input, save_model

CLASSES = ("background", "nucleus")
MPP = 0.5
CROP_PX, CROPS = 128, 8  # side of the images that networks are taught on, and how many at once


def write_image(path: Path, side: int) -> None:
    """Tissue with nuclei, side x side RGB bytes as .npy."""
    np.save(path, MadeTissue(side, side).rows(0, side))


def write_slide(path: Path, side: int) -> None:
    """The same as a pyramid of JPEG tiles."""
    write_pyramid(path, MadeTissue(side, side).rows, side, side, levels=3, mpp=MPP)


def write_model(path: Path, network: str, steps: int, tile_px: int) -> None:
    """A network that finds the nuclei, as model.safetensors: taught for a minute: of random weights classes tie.

    Where the best two classes are a tie, rounding decides, and no two engines agree.
    """
    torch.manual_seed(0)
    model = build_network(network, {}, len(CLASSES)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tissue, draws = MadeTissue(1024, 1024, seed=1), np.random.default_rng(0)
    image, mask = tissue.rows(0, tissue.height), tissue.nucleus(0, tissue.height)
    for _ in range(steps):
        corners = draws.integers(0, tissue.height - CROP_PX, (CROPS, 2))
        crops = [(slice(row, row + CROP_PX), slice(column, column + CROP_PX)) for row, column in corners]
        images, masks = (torch.from_numpy(np.stack([whole[crop] for crop in crops])) for whole in (image, mask))
        optimizer.zero_grad()
        output = model(network_input(images))
        output = output if isinstance(output, torch.Tensor) else output[0]
        functional.cross_entropy(output, masks.long()).backward()
        optimizer.step()
    facts = {"network": network, "options": {}, "classes": CLASSES, "has_maps": False, "downsample": 1}
    save_model(path, model.state_dict(), facts | {"tile_px": tile_px, "mpp": MPP})
