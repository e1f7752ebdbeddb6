"""The masks of a round as training reads them: people's at working resolution, and accepted pixels beside them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from histoloom.errors import InputError
from histoloom.files import atomic_file
from histoloom.formats.images import read_mask
from histoloom.marks import is_marked
from histoloom.sample import IGNORE
from histoloom.split.downsample import downsampled_mask
from histoloom.split.tile_layout import reserved_array
from histoloom.split.tiles import TileStore


def write_round_masks(store: TileStore, marked: Mapping[str, Path], downsample: int, masks: Path) -> None:
    """Write `masks`, laid out as those of `store`, with the accepted pixels of `marked`: native mask files by image.

    Images without such a file keep the masks that people drew. Raises InputError where a mask does not fit its image.
    """
    with atomic_file(masks) as part:
        array = reserved_array(part, np.uint8, store.classes.shape)
        array[:] = store.classes
        for name, path in marked.items():
            place, drawn = store.places[name], store.mask(name)
            small = working_mask(drawn, read_mask(path), downsample, path)
            array[place.offset : place.offset + small.size] = small.reshape(-1)
        array.flush()


def working_mask(
    drawn: UInt8[np.ndarray, "small_height small_width"],
    marked: UInt8[np.ndarray, "height width"],
    downsample: int,
    source: Path,
) -> UInt8[np.ndarray, "small_height small_width"]:
    """People's mask at working resolution, and where it says nothing what is accepted in at least half of the block.

    `source` is the file of `marked`. Raises InputError where the sizes do not fit.
    """
    accepted = downsampled_mask(np.where(is_marked(marked), marked, IGNORE).astype(np.uint8), downsample)
    if accepted.shape != drawn.shape:
        raise InputError(
            f"{source}: {accepted.shape[0]} x {accepted.shape[1]} working pixels; expected {drawn.shape[0]} x "
            f"{drawn.shape[1]}, as its image has; remove the folder of this round and run the workflow again"
        )
    return np.where(drawn != IGNORE, drawn, accepted)
