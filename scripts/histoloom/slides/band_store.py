"""What is computed of a slide, row by row, on disk: a folder of compressed bands, of which those done stay done."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from jaxtyping import Shaped

from histoloom.errors import InputError
from histoloom.files import atomic_file, write_json

BAND_PX = 512  # rows of a band; a multiple of every stride, so that a band ends where a row of tiles does
DESCRIPTION = "store.json"
LEVEL = 1  # of zstd: a third larger than its default, and as fast as a disk


@dataclass(frozen=True)
class Grid:
    """The pixels of a store: sides and channels, number type, and µm per pixel; `facts` are the writer's, as JSON."""

    height: int
    width: int
    channels: int
    dtype: str  # uint8 or int8
    mpp: float
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def bands(self) -> int:
        """How many bands there are; the last may be lower than BAND_PX."""
        return -(-self.height // BAND_PX)

    def rows(self, band: int) -> tuple[int, int]:
        """First row of a band and the one after its last."""
        return band * BAND_PX, min((band + 1) * BAND_PX, self.height)


class BandStore:
    """Bands of rows (rows, width, channels) in a folder, one file each, there whole or not at all.

    Raises InputError where the folder has no description, or a band is damaged or missing.
    """

    def __init__(self, folder: Path, grid: Grid) -> None:
        self.folder, self.grid = folder, grid
        self._last: tuple[int, np.ndarray] | None = None

    @classmethod
    def create(cls, folder: Path, grid: Grid) -> "BandStore":
        """A store to write to; one that is there for the same grid goes on where it ended, another is refused."""
        path = folder / DESCRIPTION
        if path.is_file() and cls.open(folder).grid != grid:
            raise InputError(f"{path}: describes another grid than {grid}; expected the same; remove {folder}")
        write_json(path, asdict(grid))
        return cls(folder, grid)

    @classmethod
    def open(cls, folder: Path) -> "BandStore":
        """A store to read."""
        path = folder / DESCRIPTION
        try:
            return cls(folder, Grid(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{path}: cannot be read ({type(error).__name__}); expected the description of a slide's bands; "
                "run the step again that wrote it"
            ) from error

    @staticmethod
    def is_at(folder: Path) -> bool:
        """Whether a folder holds a store; an empty one, of what a network does not give, holds none."""
        return (folder / DESCRIPTION).is_file()

    @property
    def done(self) -> int:
        """How many bands are there, counted from the top up to the first that is missing."""
        return next((band for band in range(self.grid.bands) if not self._path(band).is_file()), self.grid.bands)

    def write(self, band: int, values: Shaped[np.ndarray, "rows width channels"]) -> None:
        """Write one band, atomically."""
        first, last = self.grid.rows(band)
        assert values.shape == (last - first, self.grid.width, self.grid.channels), (values.shape, self.grid)
        assert values.dtype == self.grid.dtype, values.dtype
        # Channel by channel: neighbours of one channel are alike, neighbouring channels are not.
        planar = np.ascontiguousarray(values.transpose(2, 0, 1))
        with atomic_file(self._path(band)) as part:
            part.write_bytes(imagecodecs.zstd_encode(planar, level=LEVEL))

    def read(self, band: int) -> Shaped[np.ndarray, "rows width channels"]:
        """Read one band."""
        first, last = self.grid.rows(band)
        shape = (self.grid.channels, last - first, self.grid.width)
        try:
            content = imagecodecs.zstd_decode(self._path(band).read_bytes())
            planar = np.frombuffer(content, self.grid.dtype).reshape(shape)
        except (OSError, ValueError, imagecodecs.ZstdError) as error:
            raise InputError(
                f"{self._path(band)}: cannot be read ({type(error).__name__}); expected a band of {shape}; "
                f"remove {self.folder} and run the step again that wrote it"
            ) from error
        return planar.transpose(1, 2, 0)

    def rows(self, first: int, last: int) -> Shaped[np.ndarray, "rows width channels"]:
        """Rows `first` up to but without `last`, of whatever bands they lie in; the band read last is kept."""
        assert 0 <= first < last <= self.grid.height, (first, last, self.grid)
        parts = []
        for band in range(first // BAND_PX, -(-last // BAND_PX)):
            if self._last is None or self._last[0] != band:
                self._last = (band, self.read(band))
            top = self.grid.rows(band)[0]
            parts.append(self._last[1][max(first - top, 0) : last - top])
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _path(self, band: int) -> Path:
        return self.folder / f"{band:06d}.zst"


def facts_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as they are read back: plain JSON."""
    return json.loads(json.dumps(dict(values)))
