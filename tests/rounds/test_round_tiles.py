"""Masks of a round at working resolution: accepted pixels alone fill what people left open; a full disk is told."""

from pathlib import Path

import numpy as np
import pytest

from histoloom.errors import PlaceError
from histoloom.formats.images import write_image
from histoloom.prepared import IndexRow
from histoloom.rounds.round_tiles import working_mask, write_round_masks
from histoloom.split.tile_layout import write_pixels
from histoloom.split.tiles import TileStore
from tests.faults.disks import filled, small_disk

SIDE = 512


def drawn_tiles(folder: Path) -> TileStore:
    """Tiles of one image of which nobody drew anything."""
    write_image(folder / "image.png", np.zeros((SIDE, SIDE, 3), np.uint8))
    write_image(folder / "mask.png", np.full((SIDE, SIDE), 255, np.uint8))
    row = IndexRow("a", folder / "image.png", folder / "mask.png", None, SIDE, SIDE, None, "", "", None, "", "")
    arrays = [folder / f"{name}.npy" for name in ("images", "masks", "instances")]
    (place,) = write_pixels([row], 1, *arrays)
    return TileStore((*arrays, folder / "images.csv"), *(np.load(path) for path in arrays), {"a": place})


@pytest.mark.parametrize("accepted, expected", [(5, 255), (7, 255), (8, 128), (9, 128)])
def test_peoples_few_pixels_of_a_block_do_not_count_as_accepted(accepted, expected):
    marked = np.full(16, 255, np.uint8)
    marked[:7] = 1  # people's, too few of the block's 16 to make it theirs
    marked[7 : 7 + accepted] = 128
    nobody = np.array([[255]], np.uint8)
    assert working_mask(nobody, marked.reshape(4, 4), 4, Path("round.png")).tolist() == [[expected]]


def test_masks_of_a_round_are_refused_and_the_process_not_killed_where_a_disk_is_full(tmp_path):
    store = drawn_tiles(tmp_path)
    with small_disk(tmp_path / "disk") as disk, filled(disk, 100_000):
        with pytest.raises(PlaceError, match=r"no space left: \S+masks\.npy"):
            write_round_masks(store, {}, 1, disk / "masks.npy")
        assert [path.name for path in disk.iterdir()] == ["filler"]
