"""All that a training takes from the data of its fold: loaders, the order of tiles, probes, class weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Real
from torch.utils.data import DataLoader

from histoloom.class_pixels import value_pixels
from histoloom.errors import InputError
from histoloom.marks import weighted_pixels
from histoloom.sample import IGNORE, PSEUDO
from histoloom.split.tiles import Window, working_mpp
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.batches import Batch, Tiles, TrainingTiles, part_tiles, training_loader, validation_loader
from histoloom.train.data.class_weights import class_weights
from histoloom.train.data.order import EpochBatches
from histoloom.train.data.sampling import class_shares, window_odds
from histoloom.train.distributed import Ranks
from histoloom.train.probes import probe_tiles
from histoloom.train.settings import TrainSettings


@dataclass(frozen=True)
class FoldData:
    """The training and validation part of a fold, ready to be iterated over."""

    batches: EpochBatches
    loader: DataLoader
    held_out: DataLoader
    probes: Batch
    class_weights: Float64[np.ndarray, " classes"]
    mpp: float | None  # of a working pixel

    @classmethod
    def of(
        cls,
        tiles: Tiles,
        windows: list[Window],
        folds: Path,
        fold: int,
        settings: TrainSettings,
        augmentation: Augmentation,
        ranks: Ranks,
        workers: int,
    ) -> "FoldData":
        """Of the windows of all images; raises InputError where a part has no annotated tile."""
        training, held_out = part_tiles(tiles, windows, folds, fold, augmentation, settings.seed)
        pixels = _pixels(training, settings.pseudo_weight)
        odds = _odds(training, settings)
        batches = EpochBatches(len(training.windows), settings.repeats, settings.batch_size, settings.seed, ranks, odds)
        return cls(
            batches,
            training_loader(training, batches, workers),
            validation_loader(held_out, _part_size(settings, ranks), ranks),
            probe_tiles(held_out, settings.probe_tiles),
            class_weights(settings.class_weights.split(), pixels),
            working_mpp(tiles.store.places.values()),
        )

    @property
    def held_out_names(self) -> list[str]:
        """The image of each validation tile, in their order."""
        return [window.name for window in self.held_out.dataset.windows]


def _part_size(settings: TrainSettings, ranks: Ranks) -> int:
    """Tiles that a process computes at once: with `accumulate` no more fit into its memory."""
    return -(-ranks.share_of(settings.batch_size) // settings.accumulate)


def _pixels(training: TrainingTiles, pseudo_weight: float) -> Real[np.ndarray, " classes"]:
    store, names = training.tiles.store, dict.fromkeys(window.name for window in training.windows)
    pixels = sum((value_pixels(store.mask(name)) for name in names), np.zeros(256, np.int64))
    if not pseudo_weight and pixels[PSEUDO:IGNORE].any():
        raise InputError(
            f"{store.paths[1]}: {pixels[PSEUDO:IGNORE].sum()} pixels of training masks that a model labelled; expected "
            "none without --pseudo-weight; give their weight in the loss, or the masks that prepare wrote"
        )
    return weighted_pixels(pixels, training.tiles.class_count, pseudo_weight)


def _odds(training: TrainingTiles, settings: TrainSettings) -> Float64[np.ndarray, " windows"] | None:
    if settings.sampling == "even":
        return None
    store = training.tiles.store
    strata = [store.places[window.name].stratum for window in training.windows]
    masks = (store.window_mask(window, training.tiles.tile_px) for window in training.windows)
    shares = class_shares(masks, training.tiles.class_count, settings.pseudo_weight)
    return window_odds(settings.sampling, strata, shares)
