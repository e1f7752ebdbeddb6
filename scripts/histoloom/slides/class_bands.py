"""The class map of a slide as a store of bands, one channel of class indices, that is filled by number."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from histoloom.slides.band_store import BandStore, Grid


class ClassBands(MutableMapping[int, UInt8[np.ndarray, "rows width"]]):
    """The bands of a store, by number from 0: read from disk and written to it, none kept in memory."""

    def __init__(self, store: BandStore) -> None:
        self.store = store

    @classmethod
    def create(cls, folder: Path, predicted: Grid) -> "ClassBands":
        """A class map on the grid of a prediction, with its facts."""
        grid = Grid(predicted.height, predicted.width, 1, "uint8", predicted.mpp, predicted.facts)
        return cls(BandStore.create(folder, grid))

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First row of each band and the one after its last."""
        return [self.store.grid.rows(band) for band in range(self.store.grid.bands)]

    def __getitem__(self, band: int) -> UInt8[np.ndarray, "rows width"]:
        return self.store.read(band)[..., 0]

    def __setitem__(self, band: int, classes: UInt8[np.ndarray, "rows width"]) -> None:
        self.store.write(band, classes[..., None])

    def __delitem__(self, band: int) -> None:
        raise TypeError("bands of a slide stay")

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.store.done))

    def __len__(self) -> int:
        return self.store.done
