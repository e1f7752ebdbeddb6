"""The order of samples: the same whatever the process, the worker or a resume."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.split.tiles import TileStore, read_windows
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.batches import (
    Tiles,
    TrainingTiles,
    ValidationTiles,
    part_tiles,
    training_loader,
    validation_loader,
)
from histoloom.train.data.order import EpochBatches, Key
from histoloom.train.distributed import Ranks
from histoloom.train.settings import TrainSettings
from tests.train.training_case import AUGMENTATION, SETTINGS, make_case

CPU = torch.device("cpu")


def dataclass_of(kind: type, flags: dict):
    values = {key.replace("-", "_"): value for key, value in flags.items()}
    types = kind.__annotations__
    return kind(
        **{
            key: values.get(key, "") == "true" if each is bool else each(values[key]) if key in values else each()
            for key, each in types.items()
        }
    )


def settings() -> TrainSettings:
    return dataclass_of(TrainSettings, SETTINGS)


def augmentation() -> Augmentation:
    return dataclass_of(Augmentation, AUGMENTATION)


def store_of(inputs) -> TileStore:
    return TileStore.open(*(inputs / name for name in ("images.npy", "masks.npy", "instances.npy", "images.csv")))


@pytest.fixture
def tiles(tmp_path) -> TrainingTiles:
    inputs = make_case(tmp_path).folder / "inputs"
    windows = read_windows(inputs / "windows.csv")
    return part_tiles(Tiles(store_of(inputs), 32, 2), windows, inputs / "folds.csv", 0, augmentation(), 0)[0]


@given(samples=st.integers(2, 40), batch_size=st.sampled_from([2, 4, 6]), epoch=st.integers(1, 5))
def test_an_epoch_takes_each_sample_once_at_most_and_fills_every_batch(samples, batch_size, epoch):
    batches = EpochBatches(samples, 1, batch_size, 0, Ranks(0, 1, CPU))
    batches.start_at(epoch, 0)
    taken = [sample for keys in batches for _, sample, _ in keys]
    assert len(set(taken)) == len(taken) == len(batches) * batches.global_batch
    assert samples - len(taken) < batches.global_batch


@given(samples=st.integers(4, 40), step=st.integers(0, 3))
def test_an_epoch_started_at_a_later_step_is_the_rest_of_the_whole(samples, step):
    batches = EpochBatches(samples, 1, 2, 7, Ranks(0, 1, CPU))
    batches.start_at(3, 0)
    whole = list(batches)
    batches.start_at(3, step)
    assert list(batches) == whole[step:]


def test_epochs_differ_in_their_order():
    batches = EpochBatches(30, 1, 30, 0, Ranks(0, 1, CPU))
    batches.start_at(1, 0)
    first = [sample for _, sample, _ in next(iter(batches))]
    batches.start_at(2, 0)
    assert first != [sample for _, sample, _ in next(iter(batches))]
    assert sorted(first) == list(range(30))


def test_fewer_samples_than_processes_are_refused():
    with pytest.raises(InputError, match=r"1 training windows for 2 processes.*lower train.processes_per_node"):
        EpochBatches(1, 1, 2, 0, Ranks(0, 2, CPU))


def test_workers_change_nothing(tiles):
    def epoch(workers: int) -> list[torch.Tensor]:
        batches = EpochBatches(len(tiles.windows), 2, 4, 0, Ranks(0, 1, CPU))
        batches.start_at(2, 1)
        return [part for batch in training_loader(tiles, batches, workers) for part in batch[:2]]

    alone, shared = epoch(0), epoch(2)
    assert len(alone) == len(shared) == 2 * 3
    assert all(torch.equal(one, two) for one, two in zip(alone, shared, strict=True))


def test_versions_of_a_window_differ_and_come_again_with_the_same_key(tiles):
    count = len(tiles.windows)
    keys = (Key(1, 0, 0), Key(1, 0, 0), Key(1, count, 0), Key(2, 0, 0))
    first, again, version, later = (tiles[key].image for key in keys)
    assert (first == again).all()
    assert (first != version).any()
    assert (first != later).any()


def test_ranks_share_the_validation_windows_without_overlap(tiles):
    validation = ValidationTiles(tiles.tiles, ["image_1", "image_2"])
    shares = [
        torch.cat([batch.images for batch in validation_loader(validation, 3, Ranks(rank, 2, CPU))]) for rank in (0, 1)
    ]
    whole = torch.cat([batch.images for batch in validation_loader(validation, 3, Ranks(0, 1, CPU))])
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), whole)


def test_validation_counts_every_annotated_pixel_of_an_image_once(tiles):
    # 48 x 48 in tiles of 32: four tiles, of which three leave the image. image_0 has four rows without annotation.
    validation = ValidationTiles(tiles.tiles, ["image_0"])
    masks = torch.cat([batch.masks for batch in validation_loader(validation, 2, Ranks(0, 1, CPU))])
    assert masks.shape == (4, 32, 32)
    assert int((masks != 255).sum()) == 48 * 48 - 4 * 48
    assert int((masks == 1).sum()) == int((tiles.tiles.store.mask("image_0") == 1).sum())


def test_a_tile_without_annotation_is_not_validated_on(tiles):
    validation = ValidationTiles(replace(tiles.tiles, tile_px=4), ["image_0"])
    assert all((validation[k].mask != 255).any() for k in range(132))
    assert len(validation) == 12 * 12 - 12


def test_a_part_without_an_annotated_tile_is_refused(tmp_path, tiles):
    folds = make_case(tmp_path / "case").folder / "inputs" / "folds.csv"
    with pytest.raises(InputError, match=r"folds\.csv: the train part of fold 0 has no annotated tile"):
        part_tiles(tiles.tiles, [], folds, 0, augmentation(), 0)


def test_windows_come_up_by_their_odds_and_every_draw_is_varied_on_its_own():
    odds = np.array([0.5, 0.25, 0.25, 0.0])
    batches = EpochBatches(4, 2, 8, 0, Ranks(0, 1, CPU), odds)
    batches.start_at(1, 0)
    (keys,) = list(batches)
    assert sorted(key.window for key in keys) == [0, 0, 0, 0, 1, 1, 2, 2]
    assert sorted(key.draw for key in keys) == list(range(8))


def test_maps_are_made_after_the_warp(tiles):
    with_maps = TrainingTiles(replace(tiles.tiles, with_maps=True), tiles.windows, augmentation(), 0)
    for draw in range(8):
        tile = with_maps[Key(1, draw, draw % len(tiles.windows))]
        rows, columns = np.nonzero(tile.mask == 1)
        horizontal, vertical = tile.maps[:, rows, columns]
        # However the tile was turned, left of the centre is negative, and so is above.
        assert (horizontal[columns < columns.mean() - 1] < 0).all()
        assert (vertical[rows < rows.mean() - 1] < 0).all()
        assert horizontal.max() == pytest.approx(1)
        assert vertical.min() == pytest.approx(-1)
        assert not tile.maps[:, tile.mask == 0].any()


def test_maps_of_a_dataset_without_nuclei_are_refused(tmp_path):
    inputs = make_case(tmp_path).folder / "inputs"
    np.save(inputs / "instances.npy", np.zeros(0, np.int32))
    tiles = Tiles(store_of(inputs), 32, 2, with_maps=True)
    with pytest.raises(InputError, match=r"has no single nuclei; expected some, since the loss has a term of"):
        tiles.labels("image_0")


def test_a_batch_holds_what_the_losses_want_and_nothing_else(tiles):
    batches = EpochBatches(len(tiles.windows), 1, 4, 0, Ranks(0, 1, CPU))
    batches.start_at(1, 0)
    plain = next(iter(training_loader(tiles, batches, 0)))
    assert plain.images.shape == (4, 32, 32, 3)
    assert plain.maps is plain.distances is None
    wanted = TrainingTiles(replace(tiles.tiles, with_maps=True, with_distances=True), tiles.windows, augmentation(), 0)
    full = next(iter(training_loader(wanted, batches, 0)))
    assert torch.equal(full.images, plain.images)
    assert full.maps.shape == full.distances.shape == (4, 2, 32, 32)
