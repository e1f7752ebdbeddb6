"""The plain comparator for accuracy: a segmentation_models_pytorch U-Net trained in the plainest way on one fold.

It shares data and splits with a study and nothing else: ResNet-34 encoder without pretrained weights, crops at random
places of the training images, mirrored only with --flip, cross-entropy, Adam at 1e-3 throughout, float32, no averaged
weights; the epoch with the best validation Dice (foreground, pooled pixels) predicts in tiles without overlap. How
many image views it sees (--views) and how often it is validated (--epochs) are those of the model it is compared with:
epochs x repeats x training windows of that fold, and epochs.

After the study has run (`snakemake --configfile ...` leaves results/DATASET), for each fold K:

    python benchmarks/plain_unet.py --dataset results/consep --fold 0 --downsample 1 --tile-px 256 --flip \
        --views 12000 --epochs 60 --out results/consep/plain_unet/fold0

It writes probabilities/<name>.npy (test part) and val_probabilities/<name>.npy under --out, as
scripts/predict_images.py does, and history.csv. From there the scripts of the workflow take it for any other model:
copy the lines that logs or `snakemake -p` show for postprocess_images.py (and, where thresholds are tuned on the
validation part, the script that does so) and evaluate_predictions.py, with plain_unet as the architecture; then run
summarise_scores.py with the counts.csv of all models and of plain_unet, and its comparison.csv has the paired
intervals.
"""

import argparse
import copy
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.errors import InputError, run
from histoloom.files import atomic_folder, write_table
from histoloom.formats.images import read_image
from histoloom.predict.probabilities import quantised
from histoloom.predict.tiling import mirrored_tile, tile_grid
from histoloom.prepared import part_names, part_rows, read_description
from histoloom.sample import IGNORE
from histoloom.split.downsample import downsampled_image
from histoloom.split.tiles import TileStore, Window, read_windows

HISTORY = ("epoch", "views", "train_loss", "val_dice")


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    classes = read_description(arguments.dataset / "prepared" / "dataset.json").classes
    network = smp.Unet("resnet34", encoder_weights=None, in_channels=3, classes=len(classes))
    history = train(network, Fold.read(arguments), arguments)
    for part, name in (("test", "probabilities"), ("val", "val_probabilities")):
        write_probabilities(network, arguments, part, arguments.out / name)
    write_table(arguments.out / "history.csv", HISTORY, history)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="Folder of the dataset's results.")
    parser.add_argument("--tiles", type=Path, help="Folder of the laid-out pixels; without it DATASET/tiles.")
    parser.add_argument("--fold", type=int, required=True, help="Number of the fold, from 0.")
    parser.add_argument("--downsample", type=int, required=True, help="tiles.downsample of the study.")
    parser.add_argument("--tile-px", type=int, required=True, help="tiles.tile_px of the study.")
    parser.add_argument("--views", type=int, required=True, help="Crops to train on in all.")
    parser.add_argument("--epochs", type=int, required=True, help="How often to validate on the way.")
    parser.add_argument("--batch-size", type=int, default=8, help="Crops in a batch.")
    parser.add_argument("--flip", action="store_true", help="Mirror crops at random, both ways.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of weights, crops and flips.")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads.")
    parser.add_argument("--out", type=Path, required=True, help="Folder to write.")
    return parser.parse_args()


@dataclass
class Fold:
    """The laid-out pixels, the training windows and the validation images of one fold."""

    store: TileStore
    windows: list[Window]
    held_out: list[str]
    tile_px: int

    @classmethod
    def read(cls, arguments: argparse.Namespace) -> "Fold":
        """Raises InputError where a part is empty."""
        tiles = arguments.tiles or arguments.dataset / "tiles"
        folds = arguments.dataset / "folds.csv"
        training, held_out = (part_names(folds, arguments.fold, part) for part in ("train", "val"))
        windows = [window for window in read_windows(tiles / "windows.csv") if window.name in set(training)]
        if not windows or not held_out:
            raise InputError(
                f"{folds}: fold {arguments.fold} has {len(windows)} training windows and {len(held_out)} validation "
                "images; expected some of both; change the split section"
            )
        arrays = (tiles / name for name in ("images.npy", "masks.npy", "instances.npy"))
        return cls(TileStore.open(*arrays, tiles / "images.csv"), windows, held_out, arguments.tile_px)

    def crops(self, count: int, flip: bool, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Crops at random places; an image is taken as often as it has windows. Masks are 255 beyond the image."""
        for index in rng.integers(len(self.windows), size=count):
            image, mask = self.pixels(self.windows[index].name)
            row, column = (int(rng.integers(max(side - self.tile_px, 0) + 1)) for side in mask.shape)
            crop, truth = self.tile(image, mask, row, column)
            if flip:
                steps = tuple(slice(None, None, int(step)) for step in rng.choice([-1, 1], size=2))
                crop, truth = crop[steps], truth[steps]
            yield np.ascontiguousarray(crop), np.ascontiguousarray(truth)

    def validation_tiles(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The validation images edge to edge."""
        for name in self.held_out:
            image, mask = self.pixels(name)
            for row, column in tile_grid(*mask.shape, self.tile_px, overlap=1):
                yield self.tile(image, mask, row, column)

    def pixels(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask of a name."""
        return self.store.image(name), self.store.mask(name)

    def tile(self, image: np.ndarray, mask: np.ndarray, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (mirrored beyond its border) and mask (255 there) of a tile that starts inside the image."""
        truth = np.full((self.tile_px, self.tile_px), IGNORE, np.uint8)
        inside = mask[row : row + self.tile_px, column : column + self.tile_px]
        truth[: inside.shape[0], : inside.shape[1]] = inside
        return mirrored_tile(image, row, column, self.tile_px), truth


def train(network: nn.Module, fold: Fold, arguments: argparse.Namespace) -> list[dict[str, float]]:
    """Train in place and leave the network with the weights of its best epoch, the first of equals."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    rng = np.random.default_rng(arguments.seed)
    history, best = [], copy.deepcopy(network.state_dict())
    bounds = [arguments.views * epoch // arguments.epochs for epoch in range(arguments.epochs + 1)]
    for epoch, (seen, until) in enumerate(pairwise(bounds), start=1):
        network.train()
        losses = [
            step(network, optimizer, images, masks)
            for images, masks in batches(fold.crops(until - seen, arguments.flip, rng), arguments.batch_size)
        ]
        dice = validation_dice(network, fold, arguments.batch_size)
        if dice > max((row["val_dice"] for row in history), default=-1.0):
            best = copy.deepcopy(network.state_dict())
        history.append(dict(zip(HISTORY, (epoch, until, float(np.mean(losses)), dice), strict=True)))
        print(f"epoch {epoch}/{arguments.epochs}: {until} views, loss {np.mean(losses):.4f}, val dice {dice:.4f}")
    network.load_state_dict(best)
    return history


def step(network: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, masks: torch.Tensor) -> float:
    """One step by cross-entropy over annotated pixels."""
    annotated = (masks != IGNORE).sum().clamp(min=1)  # a crop may hold none
    loss = functional.cross_entropy(network(images), masks, ignore_index=IGNORE, reduction="sum") / annotated
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@torch.inference_mode()
def validation_dice(network: nn.Module, fold: Fold, batch_size: int) -> float:
    """Dice of all classes but the background merged, over the annotated pixels of all validation images."""
    network.eval()
    both = either = 0
    for images, masks in batches(fold.validation_tiles(), batch_size):
        found, truth = network(images).argmax(1) > 0, masks > 0
        seen = masks != IGNORE
        both += int((found & truth & seen).sum())
        either += int((found & seen).sum() + (truth & seen).sum())
    return 2 * both / either if either else 0.0


def batches(
    tiles: Iterable[tuple[np.ndarray, np.ndarray]], batch_size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Stacked: images float32 NCHW in 0 to 1, masks int64; the last batch may be smaller."""
    tiles = iter(tiles)
    while held := list(islice(tiles, batch_size)):
        yield stacked(held)


def stacked(tiles: list[tuple[np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = (torch.from_numpy(np.stack(each)) for each in zip(*tiles, strict=True))
    return as_input(images), masks.long()


def as_input(images: torch.Tensor) -> torch.Tensor:
    return images.permute(0, 3, 1, 2).float().div(255).contiguous()


def write_probabilities(network: nn.Module, arguments: argparse.Namespace, part: str, out: Path) -> None:
    """Predict a part of the fold and write it as scripts/predict_images.py writes it, on each image's own grid."""
    prepared = arguments.dataset / "prepared" / "index.csv"
    network.eval()
    with atomic_folder(out) as folder:
        for row in part_rows(prepared, arguments.dataset / "folds.csv", arguments.fold, part):
            image = read_image(row.image)
            small = downsampled_image(image, arguments.downsample)
            probabilities = predicted(network, small, arguments.tile_px, arguments.batch_size)
            np.save(folder / f"{row.name}.npy", quantised(native(probabilities, arguments.downsample, image.shape[:2])))


@torch.inference_mode()
def predicted(network: nn.Module, image: np.ndarray, tile_px: int, batch_size: int) -> np.ndarray:
    """Softmax probabilities, float32 HWC, of tiles edge to edge."""
    height, width = image.shape[:2]
    corners = tile_grid(height, width, tile_px, overlap=1)
    canvas = None
    for first in range(0, len(corners), batch_size):
        some = corners[first : first + batch_size]
        tiles = torch.from_numpy(np.stack([mirrored_tile(image, row, column, tile_px) for row, column in some]))
        values = network(as_input(tiles)).softmax(1).permute(0, 2, 3, 1).numpy()
        if canvas is None:
            canvas = np.zeros((height + tile_px, width + tile_px, values.shape[3]), np.float32)
        for (row, column), tile in zip(some, values, strict=True):
            canvas[row : row + tile_px, column : column + tile_px] = tile
    return canvas[:height, :width]


def native(probabilities: np.ndarray, factor: int, shape: tuple[int, int]) -> np.ndarray:
    """Back on the image's own grid, summing to one."""
    if factor > 1:
        size = (probabilities.shape[1] * factor, probabilities.shape[0] * factor)
        probabilities = cv2.resize(probabilities, size, interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]]
    return probabilities / probabilities.sum(axis=2, keepdims=True)


if __name__ == "__main__":
    run(main)
