"""The order of samples: the same whatever the process, the worker or a resume."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.split.tiles import TileStore, read_windows
from histoloom.train.batches import (
    EpochBatches,
    TrainingTiles,
    ValidationTiles,
    part_tiles,
    training_loader,
    validation_loader,
)
from histoloom.train.distributed import Ranks
from histoloom.train.settings import TrainSettings
from tests.train.training_case import SETTINGS, make_case

CPU = torch.device("cpu")


def settings() -> TrainSettings:
    values = {key.replace("-", "_"): value for key, value in SETTINGS.items()}
    kinds = TrainSettings.__annotations__
    return TrainSettings(
        **{key: value == "true" if kinds[key] is bool else kinds[key](value) for key, value in values.items()}
    )


@pytest.fixture
def tiles(tmp_path) -> TrainingTiles:
    inputs = make_case(tmp_path).folder / "inputs"
    store = TileStore.open(inputs / "images.npy", inputs / "masks.npy", inputs / "images.csv")
    windows = read_windows(inputs / "windows.csv")
    return part_tiles(store, windows, inputs / "folds.csv", 0, 32, settings())[0]


@given(samples=st.integers(2, 40), batch_size=st.sampled_from([2, 4, 6]), epoch=st.integers(1, 5))
def test_an_epoch_takes_each_sample_once_at_most_and_fills_every_batch(samples, batch_size, epoch):
    batches = EpochBatches(samples, batch_size, 0, Ranks(0, 1, CPU))
    batches.start_at(epoch, 0)
    taken = [sample for keys in batches for _, sample in keys]
    assert len(set(taken)) == len(taken) == len(batches) * batches.global_batch
    assert samples - len(taken) < batches.global_batch


@given(samples=st.integers(4, 40), step=st.integers(0, 3))
def test_an_epoch_started_at_a_later_step_is_the_rest_of_the_whole(samples, step):
    batches = EpochBatches(samples, 2, 7, Ranks(0, 1, CPU))
    batches.start_at(3, 0)
    whole = list(batches)
    batches.start_at(3, step)
    assert list(batches) == whole[step:]


def test_epochs_differ_in_their_order():
    batches = EpochBatches(30, 30, 0, Ranks(0, 1, CPU))
    batches.start_at(1, 0)
    first = [sample for _, sample in next(iter(batches))]
    batches.start_at(2, 0)
    assert first != [sample for _, sample in next(iter(batches))]
    assert sorted(first) == list(range(30))


def test_fewer_samples_than_processes_are_refused():
    with pytest.raises(InputError, match=r"1 training windows for 2 processes.*lower train.processes"):
        EpochBatches(1, 2, 0, Ranks(0, 2, CPU))


def test_workers_change_nothing(tiles):
    def epoch(workers: int) -> list[torch.Tensor]:
        batches = EpochBatches(len(tiles.windows) * 2, 4, 0, Ranks(0, 1, CPU))
        batches.start_at(2, 1)
        return [part for pair in training_loader(tiles, batches, workers) for part in pair]

    alone, shared = epoch(0), epoch(2)
    assert len(alone) == len(shared) == 2 * 3
    assert all(torch.equal(one, two) for one, two in zip(alone, shared, strict=True))


def test_versions_of_a_window_differ_and_come_again_with_the_same_key(tiles):
    count = len(tiles.windows)
    first, again, version, later = (tiles[key][0] for key in ((1, 0), (1, 0), (1, count), (2, 0)))
    assert (first == again).all()
    assert (first != version).any()
    assert (first != later).any()


def test_ranks_share_the_validation_windows_without_overlap(tiles):
    validation = ValidationTiles(tiles.store, ["image_1", "image_2"], 32)
    shares = [
        torch.cat([images for images, _ in validation_loader(validation, 3, Ranks(rank, 2, CPU))]) for rank in (0, 1)
    ]
    whole = torch.cat([images for images, _ in validation_loader(validation, 3, Ranks(0, 1, CPU))])
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), whole)


def test_validation_counts_every_annotated_pixel_of_an_image_once(tiles):
    # 48 x 48 in tiles of 32: four tiles, of which three leave the image. image_0 has four rows without annotation.
    validation = ValidationTiles(tiles.store, ["image_0"], 32)
    masks = torch.cat([masks for _, masks in validation_loader(validation, 2, Ranks(0, 1, CPU))])
    assert masks.shape == (4, 32, 32)
    assert int((masks != 255).sum()) == 48 * 48 - 4 * 48
    assert int((masks == 1).sum()) == int((tiles.store.mask("image_0") == 1).sum())


def test_a_tile_without_annotation_is_not_validated_on(tiles):
    assert all((mask != 255).any() for _, mask in (ValidationTiles(tiles.store, ["image_0"], 4)[k] for k in range(132)))
    assert len(ValidationTiles(tiles.store, ["image_0"], 4)) == 12 * 12 - 12


def test_a_part_without_an_annotated_tile_is_refused(tmp_path, tiles):
    folds = make_case(tmp_path / "case").folder / "inputs" / "folds.csv"
    with pytest.raises(InputError, match=r"folds\.csv: the train part of fold 0 has no annotated tile"):
        part_tiles(tiles.store, [], folds, 0, 32, settings())
