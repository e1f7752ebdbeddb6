"""What a training takes of its fold: the probes without making tiles in vain, validation in parts that fit."""

from dataclasses import replace

import pytest
import torch

from histoloom.split.tiles import read_windows
from histoloom.train.data.batches import Tiles, ValidationTiles
from histoloom.train.data.fold_data import FoldData
from histoloom.train.distributed import Ranks
from histoloom.train.probes import probe_tiles
from tests.train.data.test_batches import augmentation, settings, store_of
from tests.train.training_case import make_case


@pytest.fixture
def inputs(tmp_path):
    return make_case(tmp_path).folder / "inputs"


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "world", "expected"), [(4, 1, 1, 4), (4, 2, 1, 2), (5, 2, 1, 3), (8, 2, 2, 2)]
)
def test_validation_computes_no_more_tiles_at_once_than_a_part_of_a_step(
    inputs, batch_size, accumulate, world, expected
):
    chosen = replace(settings(), batch_size=batch_size, accumulate=accumulate)
    tiles, windows = Tiles(store_of(inputs), 32, 2), read_windows(inputs / "windows.csv")
    ranks = Ranks(0, world, torch.device("cpu"))
    data = FoldData.of(tiles, windows, inputs / "folds.csv", 0, chosen, augmentation(), ranks, 0)
    assert data.held_out.batch_size == expected


def test_only_the_probes_that_are_taken_are_made(inputs, monkeypatch):
    made = []
    whole = ValidationTiles.__getitem__
    monkeypatch.setattr(ValidationTiles, "__getitem__", lambda tiles, index: made.append(index) or whole(tiles, index))
    # Discs of radius 10 about (26, 23) and (28, 26) in 48 x 48: most of both lies in the first of four tiles of 32.
    tiles = ValidationTiles(Tiles(store_of(inputs), 32, 2, with_maps=True), ["image_1", "image_2"])
    probes = probe_tiles(tiles, 2)
    assert made == [0, 4]
    assert torch.equal(probes.masks[0], torch.from_numpy(tiles.tiles.store.mask("image_1")[:32, :32].copy()))
