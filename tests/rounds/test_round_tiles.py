"""Where a disk has no room for the masks of a round that is said; a page of a mapped file would kill the process."""

from pathlib import Path

import numpy as np
import pytest

from histoloom.errors import PlaceError
from histoloom.formats.images import write_image
from histoloom.prepared import IndexRow
from histoloom.rounds.round_tiles import write_round_masks
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


def test_masks_of_a_round_are_refused_and_the_process_not_killed_where_a_disk_is_full(tmp_path):
    store = drawn_tiles(tmp_path)
    with small_disk(tmp_path / "disk") as disk, filled(disk, 100_000):
        with pytest.raises(PlaceError, match=r"no space left: \S+masks\.npy"):
            write_round_masks(store, {}, 1, disk / "masks.npy")
        assert [path.name for path in disk.iterdir()] == ["filler"]
