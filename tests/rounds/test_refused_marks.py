"""What a model labelled is refused where it is not asked for: without its weight, in validation, and in scores."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from histoloom.errors import InputError
from histoloom.evaluate.counting.predicted_files import read_truth
from histoloom.formats.images import write_image
from histoloom.prepared import IndexRow, part_names
from histoloom.sample import IGNORE, PSEUDO
from histoloom.split.tiles import read_windows
from histoloom.train.data.batches import Tiles
from histoloom.train.data.fold_data import FoldData
from histoloom.train.distributed import Ranks
from tests.train.data.test_batches import augmentation, settings, store_of
from tests.train.training_case import make_case

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture
def inputs(tmp_path):
    return make_case(tmp_path).folder / "inputs"


def mark(inputs, part: str) -> None:
    """Mark all annotated pixels of the first image of a part."""
    store, name = store_of(inputs), part_names(inputs / "folds.csv", 0, part)[0]
    masks, place = np.load(inputs / "masks.npy"), store.places[name]
    pixels = masks[place.offset : place.offset + place.height * place.width]
    pixels[pixels != IGNORE] += PSEUDO
    (inputs / "masks.npy").unlink()  # who has it open sees it as it was
    np.save(inputs / "masks.npy", masks)


def data(inputs, **changes) -> FoldData:
    windows, chosen = read_windows(inputs / "windows.csv"), replace(settings(), **changes)
    tiles = Tiles(store_of(inputs), 32, 2, with_distances=True)
    return FoldData.of(tiles, windows, inputs / "folds.csv", 0, chosen, augmentation(), ALONE, 0)


def test_marks_without_a_weight_are_refused(inputs):
    mark(inputs, "train")
    with pytest.raises(InputError, match="pixels of training masks that a model labelled; expected none without"):
        data(inputs)


def test_marks_in_the_validation_part_are_refused_whatever_their_weight(inputs):
    mark(inputs, "val")
    with pytest.raises(InputError, match="of the validation part has pixels that a model labelled; expected people's"):
        data(inputs, pseudo_weight=0.5)


def test_marked_tiles_have_the_maps_and_weights_of_drawn_ones(inputs):
    drawn = data(inputs, class_weights="inverse_frequency")
    mark(inputs, "train")
    marked = data(inputs, class_weights="inverse_frequency", pseudo_weight=1.0)
    assert np.array_equal(drawn.class_weights, marked.class_weights)
    for before, after in zip(drawn.loader, marked.loader, strict=True):
        torch.testing.assert_close(before.distances, after.distances)  # OpenCV's threads round the last bit anyhow
        assert torch.equal(before.masks, torch.where((after.masks >= PSEUDO) & (after.masks != IGNORE),
                                                     after.masks - PSEUDO, after.masks))  # fmt: skip


def test_marks_are_no_truth_to_score_by(tmp_path):
    path = tmp_path / "mask.png"
    row = IndexRow("a", path, path, None, 1, 3, None, "a", "", None, "", "")
    write_image(path, np.array([[0, 1, IGNORE]], np.uint8))
    assert read_truth(row).mask.tolist() == [[0, 1, IGNORE]]
    write_image(path, np.array([[0, PSEUDO + 1, IGNORE]], np.uint8))
    with pytest.raises(InputError, match="1 pixels were labelled by a model; expected people's annotation"):
        read_truth(row)
