"""From windows on prepared images to batches of tiles with their truth."""

import atexit
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.utils.data import DataLoader, Dataset

from histoloom.errors import InputError
from histoloom.marks import is_marked, unmarked
from histoloom.prepared import part_names
from histoloom.sample import IGNORE
from histoloom.split.tiles import TileStore, Window
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.augmentation.tiles import augmented_tile, plain_tile, sample_rng
from histoloom.train.data.boundary_distances import signed_distances
from histoloom.train.data.instance_maps import instance_maps
from histoloom.train.data.order import EpochBatches, Key
from histoloom.train.distributed import Ranks
from histoloom.train.parent import die_with_parent
from histoloom.train.stopping import SIGNALS


class Batch(NamedTuple):
    """Tiles and their truth: images (N, H, W, 3) and masks (N, H, W) as bytes, and what the losses want beside them.

    maps (N, 2, H, W) and distances (N, C, H, W) are float32; None where no loss looks at them.
    """

    images: torch.Tensor
    masks: torch.Tensor
    maps: torch.Tensor | None = None
    distances: torch.Tensor | None = None


class Tile(NamedTuple):
    """One tile of a batch, as arrays."""

    image: UInt8[np.ndarray, "tile tile 3"]
    mask: UInt8[np.ndarray, "tile tile"]
    maps: Float32[np.ndarray, "2 tile tile"] | None = None
    distances: Float32[np.ndarray, "classes tile tile"] | None = None


@dataclass(frozen=True)
class Tiles:
    """How tiles are cut: from where, how large, and with what truth beside the mask."""

    store: TileStore
    tile_px: int
    class_count: int
    with_maps: bool = False
    with_distances: bool = False

    def labels(self, name: str) -> tuple[np.ndarray, ...]:
        """The mask of an image and, where maps are wanted, its nuclei.

        Raises InputError where they are wanted and the dataset has none.
        """
        if not self.with_maps:
            return (self.store.mask(name),)
        nuclei = self.store.instances(name)
        if nuclei is None:
            raise InputError(
                f"{self.store.paths[3].parent}: has no single nuclei; expected some, since the loss has a term of "
                "instance maps (hv); leave it out of train.loss for this dataset"
            )
        return self.store.mask(name), nuclei

    def finished(self, image: np.ndarray, labels: tuple[np.ndarray, ...]) -> Tile:
        """The tile with its maps, which are made after the warp: a turned map would point the wrong way."""
        mask, *nuclei = labels
        return Tile(
            image,
            mask,
            instance_maps(nuclei[0]) if self.with_maps else None,
            signed_distances(unmarked(mask), self.class_count) if self.with_distances else None,
        )


class TrainingTiles(Dataset):
    """Augmented tiles of the training windows, by Key."""

    def __init__(self, tiles: Tiles, windows: list[Window], augmentation: Augmentation, seed: int):
        self.tiles, self.windows, self.augmentation, self.seed = tiles, windows, augmentation, seed

    def __getitem__(self, key: Key) -> Tile:
        """The tile and its truth; its random numbers come from (seed, epoch, draw) alone."""
        window = self.windows[key.window]
        image, labels = augmented_tile(
            self.tiles.store.image(window.name),
            self.tiles.labels(window.name),
            window.row,
            window.column,
            self.tiles.tile_px,
            self.augmentation,
            sample_rng(self.seed, key.epoch, key.draw),
        )
        return self.tiles.finished(image, labels)


class ValidationTiles(Dataset):
    """Images cut edge to edge, so that every annotated pixel counts once, whatever the stride of training."""

    def __init__(self, tiles: Tiles, names: Iterable[str]):
        self.tiles = tiles
        self.windows = [window for name in names for window in self._grid(name)]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Tile:
        """The tile and its truth; beyond the image the tile is mirrored and the mask not annotated."""
        window, store = self.windows[index], self.tiles.store
        labels = self.tiles.labels(window.name)
        image, labels = plain_tile(store.image(window.name), labels, window.row, window.column, self.tiles.tile_px)
        height, width = store.mask(window.name).shape
        labels[0][height - window.row :] = IGNORE
        labels[0][:, width - window.column :] = IGNORE
        return self.tiles.finished(image, labels)

    def _grid(self, name: str) -> Iterator[Window]:
        mask, side = self.tiles.store.mask(name), self.tiles.tile_px
        if is_marked(mask).any():
            raise InputError(
                f"{self.tiles.store.paths[1]}: image '{name}' of the validation part has pixels that a model labelled; "
                "expected people's pixels alone, for they choose the epoch; give the masks that prepare wrote"
            )
        for row in range(0, mask.shape[0], side):
            for column in range(0, mask.shape[1], side):
                if (mask[row : row + side, column : column + side] != IGNORE).any():
                    yield Window(name, row, column)


def part_tiles(
    tiles: Tiles, windows: list[Window], folds: Path, fold: int, augmentation: Augmentation, seed: int
) -> tuple[TrainingTiles, ValidationTiles]:
    """The augmented tiles of a fold's training part, and its validation part as it is.

    Raises InputError where one of them has no annotated tile.
    """
    names = {part: part_names(folds, fold, part) for part in ("train", "val")}
    training = [window for window in windows if window.name in set(names["train"])]
    found = {
        "train": TrainingTiles(tiles, training, augmentation, seed),
        "val": ValidationTiles(tiles, names["val"]),
    }
    for part, its_tiles in found.items():
        if not its_tiles.windows:
            raise InputError(
                f"{folds}: the {part} part of fold {fold} has no annotated tile; expected one at least; "
                "change the split section or annotate more images"
            )
    return found["train"], found["val"]


def stacked(tiles: list[Tile]) -> Batch:
    """Tiles as one batch."""
    columns = zip(*tiles, strict=True)
    return Batch(*(None if column[0] is None else torch.from_numpy(np.stack(column)) for column in columns))


def training_loader(tiles: TrainingTiles, batches: EpochBatches, workers: int) -> DataLoader:
    """A loader of Batches that follows `batches`."""
    if workers:
        atexit.register(end_workers)
    return _loader(tiles, workers, batch_sampler=batches, persistent_workers=workers > 0)


def validation_loader(tiles: ValidationTiles, batch_size: int, ranks: Ranks) -> DataLoader:
    """A loader of Batches over this rank's share of the validation windows, in order."""
    share = range(ranks.rank, len(tiles), ranks.world)
    return _loader(tiles, 0, sampler=share, batch_size=batch_size)


def _loader(tiles: Dataset, workers: int, **order) -> DataLoader:
    if not workers:  # this process makes the tiles, and OpenCV's threads add distances up in another order each time
        cv2.setNumThreads(0)
    return DataLoader(
        tiles,
        num_workers=workers,
        collate_fn=stacked,
        worker_init_fn=partial(start_worker, os.getpid()),
        pin_memory=torch.cuda.is_available(),
        # A generator of its own: otherwise every new iterator draws from the global one and shifts dropout.
        generator=torch.Generator().manual_seed(0),
        **order,
    )


def end_workers() -> None:
    """Kill the workers that are left when a process ends.

    Whatever still holds the loader keeps them alive, such as a frame of an import that once failed; Python would ask
    them to end by the very signal that they ignore, and wait for ever.
    """
    for worker in multiprocessing.active_children():
        worker.kill()


def start_worker(trainer: int, _: int) -> None:
    """What a loader worker does first; `trainer` is the process that started it."""
    die_with_parent()
    if os.getppid() != trainer:  # it was killed before the call, which then has no effect: torch would wait for ever
        os._exit(1)
    # torch has set handlers by now of which a worker would die, and with it a trainer that wants to save.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)
