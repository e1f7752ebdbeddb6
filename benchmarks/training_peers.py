"""The peers of benchmarks/training.py: the same augmentation by other libraries, and training loops without histoloom.

As a script it runs one loop and prints, as JSON, when each step ended (time.monotonic):

    python benchmarks/training_peers.py plain --inputs FOLDER --network unet_small --batch-size 8 --steps 10
    python benchmarks/training_peers.py resident --variants "bfloat16 channels_last" --network unet_small --steps 10

plain: what one would write without thinking of speed. Float32, NCHW, MONAI's transforms for each sample in a
DataLoader, MONAI's Dice and cross-entropy loss, Adam. resident: nothing but forward, backward and Adam on tensors that
are there already, in one or more number types and layouts, in turn.
"""

import argparse
import importlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Rand2DElasticd,
    RandAffined,
    RandFlipd,
    RandRotate90d,
    RandTorchVisiond,
    ScaleIntensityRanged,
)
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from training_data import STAIN, STRENGTHS, TILE_PX, tile_store

from histoloom.networks import build_network
from histoloom.split.tiles import read_windows

Transform = Callable[[np.ndarray, np.ndarray], object]
CLASSES = 2
VARIANTS = ("float32", "float32 channels_last", "bfloat16", "bfloat16 channels_last", "bfloat16 channels_last compiled")


def monai_transforms(is_one_warp: bool = False) -> Transform:
    """MONAI's dictionary transforms with STRENGTHS; with `is_one_warp` its elastic transform does the affine too."""
    both, colours = ["image", "mask"], STRENGTHS
    modes = {"mode": ("bilinear", "nearest"), "padding_mode": "reflection", "prob": 1.0}
    radians = [math.radians(colours[name]) for name in ("rotation_deg", "shear_deg")]
    affine = {"rotate_range": radians[0], "shear_range": radians[1], "scale_range": colours["scale"]}
    spacing = (colours["elastic_grid_px"],) * 2
    largest = colours["elastic_px"] * math.sqrt(3)  # of uniform draws with this standard deviation
    elastic = {"spacing": spacing, "magnitude_range": (largest, largest), **modes}
    warps = [Rand2DElasticd(both, **elastic, **affine)]
    if not is_one_warp:
        warps = [RandAffined(both, **affine, **modes), Rand2DElasticd(both, **elastic)]
    factors = {name: colours[name] for name in ("brightness", "contrast", "saturation")}
    composed = Compose(
        [
            EnsureChannelFirstd("image", channel_dim=-1),
            EnsureChannelFirstd("mask", channel_dim="no_channel"),
            ScaleIntensityRanged("image", 0, 255, 0, 1),
            RandFlipd(both, prob=0.5, spatial_axis=0),
            RandFlipd(both, prob=0.5, spatial_axis=1),
            RandRotate90d(both, prob=0.75),  # by 90, 180 or 270 degrees
            *warps,
            RandTorchVisiond("image", name="ColorJitter", **factors, hue=colours["hue_deg"] / 360),
        ]
    )
    return lambda image, mask: composed({"image": image, "mask": mask})


def albumentations_transforms(with_stain: bool = False) -> Transform:
    """The transforms of albumentations with STRENGTHS, with `with_stain` its random H&E augmentation too.

    Raises ImportError where albumentations is not installed.
    """
    library = importlib.import_module("albumentations")
    values = STRENGTHS
    around = {name: (1 - values[name], 1 + values[name]) for name in ("brightness", "contrast", "saturation")}
    # Its displacement is a uniform draw, blurred and multiplied by alpha. Sigma is that of its own examples: a field as
    # smooth as ours would need three times as much, and take longer.
    sigma = 10.0
    deviation = 1 / math.sqrt(3) / (2 * sigma * math.sqrt(math.pi))
    transforms = [
        library.HorizontalFlip(p=0.5),
        library.VerticalFlip(p=0.5),
        library.RandomRotate90(p=1.0),
        library.Affine(
            scale=(1 / (1 + values["scale"]), 1 + values["scale"]),
            rotate=(-values["rotation_deg"], values["rotation_deg"]),
            shear=(-values["shear_deg"], values["shear_deg"]),
            border_mode=4,  # cv2.BORDER_REFLECT_101
            p=1.0,
        ),
        library.ElasticTransform(
            alpha=values["elastic_px"] / deviation, sigma=sigma, noise_distribution="uniform", border_mode=4, p=1.0
        ),
        library.ColorJitter(**around, hue=(-values["hue_deg"] / 360, values["hue_deg"] / 360), p=1.0),
    ]
    stains = {"intensity_scale_range": (1 - STAIN, 1 + STAIN), "intensity_shift_range": (0.0, 0.0)}
    stain = [library.HEStain(**stains, p=1.0)] if with_stain else []
    composed = library.Compose([*transforms, *stain])
    return lambda image, mask: composed(image=image, mask=mask)


class PlainTiles(Dataset):
    """The training windows through MONAI's transforms."""

    def __init__(self, folder: Path) -> None:
        self.store, self.windows = tile_store(folder), read_windows(folder / "tiles" / "windows.csv")
        self.transform = monai_transforms()

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Image (3, tile, tile) and mask (1, tile, tile)."""
        window = self.windows[index]
        place = (slice(window.row, window.row + TILE_PX), slice(window.column, window.column + TILE_PX))
        done = self.transform(self.store.image(window.name)[place], self.store.mask(window.name)[place])
        return done["image"].as_tensor(), done["mask"].as_tensor()


def plain_ends(arguments: argparse.Namespace) -> list[float]:
    """Train in the plain way."""
    tiles = PlainTiles(arguments.inputs)
    sampler = RandomSampler(tiles, replacement=True, num_samples=arguments.steps * arguments.batch_size)
    loader = DataLoader(tiles, arguments.batch_size, sampler=sampler, num_workers=arguments.workers)
    network = build_network(arguments.network, {}, CLASSES)
    loss = DiceCELoss(softmax=True, to_onehot_y=True, include_background=False)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()
    ends = []
    for images, masks in loader:
        optimizer.zero_grad()
        loss(network(images), masks).backward()
        optimizer.step()
        ends.append(time.monotonic())
    return ends


def resident_seconds(arguments: argparse.Namespace) -> Mapping[str, list[float]]:
    """Seconds of every step of each variant; variants take turns, a step at a time, after two that do not count."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = {variant: resident_step(variant, arguments, device) for variant in arguments.variants}
    seconds = {variant: [] for variant in steps}
    for number in range(arguments.steps + 2):
        for variant, step in steps.items():
            began = time.monotonic()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number > 1:
                seconds[variant].append(time.monotonic() - began)
    return seconds


def resident_step(variant: str, arguments: argparse.Namespace, device: torch.device) -> Callable[[], None]:
    """A step of forward, cross-entropy, backward and fused Adam."""
    dtype, *ways = variant.split()
    layout = torch.channels_last if "channels_last" in ways else torch.contiguous_format
    network = build_network(arguments.network, {}, CLASSES).to(device, memory_format=layout).train()
    run = torch.compile(network) if "compiled" in ways else network
    images = torch.rand(arguments.batch_size, 3, TILE_PX, TILE_PX, device=device).to(memory_format=layout)
    masks = torch.randint(CLASSES, (arguments.batch_size, TILE_PX, TILE_PX), device=device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    number_type = getattr(torch, dtype)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, number_type, enabled=number_type != torch.float32):
            output = run(images)
        nn.functional.cross_entropy(output.float(), masks).backward()
        optimizer.step()

    return step


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loop", choices=("plain", "resident"), help="What to run.")
    parser.add_argument("--inputs", type=Path, help="Folder that training_data.write_inputs wrote (plain).")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS, help="Number types (resident).")
    parser.add_argument("--network", required=True, help="Architecture.")
    parser.add_argument("--batch-size", type=int, required=True, help="Tiles in a batch.")
    parser.add_argument("--steps", type=int, required=True, help="Steps to run.")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads.")
    parser.add_argument("--workers", type=int, default=1, help="Loader processes (plain).")
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(json.dumps(plain_ends(arguments) if arguments.loop == "plain" else resident_seconds(arguments)))


if __name__ == "__main__":
    main()
