"""From windows on prepared images to batches of tiles, the same whatever the workers, the process or a resume."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch.utils.data import DataLoader, Dataset

from histoloom.errors import InputError
from histoloom.prepared import part_names
from histoloom.sample import IGNORE
from histoloom.split.tiles import TileStore, Window
from histoloom.train.augment import Augmentation, augmented_tile, plain_tile, sample_rng
from histoloom.train.distributed import Ranks, die_with_parent
from histoloom.train.settings import TrainSettings

Tile = tuple[UInt8[np.ndarray, "tile tile 3"], UInt8[np.ndarray, "tile tile"]]


class TrainingTiles(Dataset):
    """Augmented tiles by (epoch, sample): sample s is version s // len(windows) of window s % len(windows)."""

    def __init__(self, store: TileStore, windows: list[Window], tile_px: int, settings: TrainSettings):
        self.store, self.windows, self.tile_px, self.seed = store, windows, tile_px, settings.seed
        strengths = {strength.name: getattr(settings, strength.name) for strength in fields(Augmentation)}
        self.augmentation = Augmentation(**strengths)

    def __getitem__(self, key: tuple[int, int]) -> Tile:
        """The tile and its mask; its random numbers come from (seed, epoch, sample) alone."""
        epoch, sample = key
        window = self.windows[sample % len(self.windows)]
        return augmented_tile(
            self.store.image(window.name),
            self.store.mask(window.name),
            window.row,
            window.column,
            self.tile_px,
            self.augmentation,
            sample_rng(self.seed, epoch, sample),
        )


class ValidationTiles(Dataset):
    """Images cut edge to edge, so that every annotated pixel counts once, whatever the stride of training."""

    def __init__(self, store: TileStore, names: Iterable[str], tile_px: int):
        self.store, self.tile_px = store, tile_px
        self.windows = [window for name in names for window in self._grid(name)]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Tile:
        """The tile and its mask; beyond the image the tile is mirrored and the mask not annotated."""
        window = self.windows[index]
        image, mask = self.store.image(window.name), self.store.mask(window.name)
        tile, tile_mask = plain_tile(image, mask, window.row, window.column, self.tile_px)
        tile_mask[mask.shape[0] - window.row :] = IGNORE
        tile_mask[:, mask.shape[1] - window.column :] = IGNORE
        return tile, tile_mask

    def _grid(self, name: str) -> Iterator[Window]:
        mask, side = self.store.mask(name), self.tile_px
        for row in range(0, mask.shape[0], side):
            for column in range(0, mask.shape[1], side):
                if (mask[row : row + side, column : column + side] != IGNORE).any():
                    yield Window(name, row, column)


def part_tiles(
    store: TileStore, windows: list[Window], folds: Path, fold: int, tile_px: int, settings: TrainSettings
) -> tuple[TrainingTiles, ValidationTiles]:
    """The augmented tiles of a fold's training part, and its validation part as it is.

    Raises InputError where one of them has no annotated tile.
    """
    names = {part: part_names(folds, fold, part) for part in ("train", "val")}
    training = [window for window in windows if window.name in set(names["train"])]
    tiles = {
        "train": TrainingTiles(store, training, tile_px, settings),
        "val": ValidationTiles(store, names["val"], tile_px),
    }
    for part, found in tiles.items():
        if not found.windows:
            raise InputError(
                f"{folds}: the {part} part of fold {fold} has no annotated tile; expected one at least; "
                "change the split section or annotate more images"
            )
    return tiles["train"], tiles["val"]


@dataclass
class EpochBatches:
    """Which samples make up each batch of an epoch on one rank, from any step on.

    The global batch is cut from a permutation that depends on (seed, epoch) alone; rank r takes every world-th
    sample of it. The rest that fills no batch is left out and comes up in other epochs; fewer samples than one batch
    make one smaller batch.
    """

    samples: int
    batch_size: int
    seed: int
    ranks: Ranks
    epoch: int = field(default=0, init=False)
    first_step: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.ranks.share_of(self.batch_size)
        if self.samples < self.ranks.world:
            raise InputError(
                f"{self.samples} training windows for {self.ranks.world} processes; expected at least one each; "
                "lower train.processes or tiles.stride_px"
            )

    @property
    def global_batch(self) -> int:
        """Samples in each step over all processes."""
        return min(self.batch_size, self.samples // self.ranks.world * self.ranks.world)

    def __len__(self) -> int:
        return self.samples // self.global_batch

    def start_at(self, epoch: int, step: int) -> None:
        """Make the next iteration give the batches of `epoch` from `step` on."""
        self.epoch, self.first_step = epoch, step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = sample_rng(self.seed, self.epoch, self.samples).permutation(self.samples)
        for step in range(self.first_step, len(self)):
            batch = order[step * self.global_batch : (step + 1) * self.global_batch]
            yield [(self.epoch, int(sample)) for sample in batch[self.ranks.rank :: self.ranks.world]]


def training_loader(tiles: TrainingTiles, batches: EpochBatches, workers: int) -> DataLoader:
    """A loader of (images N,H,W,3 uint8; masks N,H,W uint8) that follows `batches`."""
    return _loader(tiles, workers, batch_sampler=batches, persistent_workers=workers > 0)


def validation_loader(tiles: ValidationTiles, batch_size: int, ranks: Ranks) -> DataLoader:
    """A loader over this rank's share of the validation windows, in order."""
    share = range(ranks.rank, len(tiles), ranks.world)
    return _loader(tiles, 0, sampler=share, batch_size=batch_size)


def _loader(tiles: Dataset, workers: int, **order) -> DataLoader:
    return DataLoader(
        tiles,
        num_workers=workers,
        collate_fn=_stack,
        worker_init_fn=_start_worker,
        pin_memory=torch.cuda.is_available(),
        # A generator of its own: otherwise every new iterator draws from the global one and shifts dropout.
        generator=torch.Generator().manual_seed(0),
        **order,
    )


def _stack(tiles: list[Tile]) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = zip(*tiles, strict=True)
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks))


def _start_worker(_: int) -> None:
    die_with_parent()
    cv2.setNumThreads(0)
