"""The memory-mapped pixels of a dataset and the windows on them, as training reads them (tile_layout.py writes them).

images.npy (pixels, 3), masks.npy (pixels,) and instances.npy (pixels,) hold one image after the other, row by row, at
working resolution; instances.npy is empty where a dataset has no nucleus ids. Processes and loader workers share the
pages that the system keeps in memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8

from histoloom.errors import InputError
from histoloom.prepared import read_table

IMAGE_COLUMNS = ("name", "offset", "height", "width", "stratum", "mpp")
WINDOW_COLUMNS = ("name", "row", "column")


@dataclass(frozen=True)
class Place:
    """Where an image lies in the pixel files, its size at working resolution, its stratum (such as the organ), and the
    µm that a working pixel is wide, None where the dataset does not say."""

    name: str
    offset: int
    height: int
    width: int
    stratum: str = ""
    mpp: float | None = None


@dataclass(frozen=True)
class Window:
    """A training window: an image and its top-left pixel at working resolution."""

    name: str
    row: int
    column: int


@dataclass(frozen=True)
class TileStore:
    """Images, masks and nucleus ids by name, as views of the memory-mapped files: nothing is read before it is used."""

    paths: tuple[Path, Path, Path, Path]
    pixels: UInt8[np.ndarray, "pixels 3"]
    classes: UInt8[np.ndarray, "pixels"]
    ids: Int32[np.ndarray, " pixels_or_none"]
    places: dict[str, Place]

    @classmethod
    def open(cls, images: Path, masks: Path, instances: Path, image_table: Path) -> "TileStore":
        """Map the files of one dataset; raises InputError where they are not of one run."""
        places = {row["name"]: _place(row) for row in read_table(image_table)}
        pixels, classes, ids = (np.load(path, mmap_mode="r") for path in (images, masks, instances))
        expected = sum(place.height * place.width for place in places.values())
        if not len(pixels) == len(classes) == expected or len(ids) not in (0, expected):
            raise InputError(
                f"{images}: {len(pixels)} pixels, {masks}: {len(classes)}, {instances}: {len(ids)}; expected "
                f"{expected}, the sum of {image_table} (no pixel at all in the last one for a dataset without nuclei); "
                "remove the folder and run the workflow again"
            )
        return cls((images, masks, instances, image_table), pixels, classes, ids, places)

    def image(self, name: str) -> UInt8[np.ndarray, "height width 3"]:
        """RGB pixels of an image at working resolution, read-only."""
        place = self.places[name]
        return self.pixels[place.offset :][: place.height * place.width].reshape(place.height, place.width, 3)

    def mask(self, name: str) -> UInt8[np.ndarray, "height width"]:
        """Class indices of an image at working resolution, read-only."""
        place = self.places[name]
        return self.classes[place.offset :][: place.height * place.width].reshape(place.height, place.width)

    def window_mask(self, window: Window, tile_px: int) -> UInt8[np.ndarray, "rows columns"]:
        """The mask of a window's tile, read-only; smaller where the image ends."""
        rows, columns = (slice(first, first + tile_px) for first in (window.row, window.column))
        return self.mask(window.name)[rows, columns]

    def instances(self, name: str) -> Int32[np.ndarray, "height width"] | None:
        """Nucleus ids of an image at working resolution, 0 where there is none, read-only; None without any."""
        if not len(self.ids):
            return None
        place = self.places[name]
        return self.ids[place.offset :][: place.height * place.width].reshape(place.height, place.width)

    def __reduce__(self):
        # Sent to a spawned loader worker, a memory map would be copied whole.
        return TileStore.open, self.paths


def working_mpp(places: Iterable[Place]) -> float | None:
    """The µm of a working pixel, the median of those images that state it; None where none does."""
    stated = [place.mpp for place in places if place.mpp is not None]
    return float(np.median(stated)) if stated else None


def read_windows(path: Path) -> list[Window]:
    """Read windows.csv."""
    return [Window(row["name"], int(row["row"]), int(row["column"])) for row in read_table(path)]


def _place(row: dict[str, str]) -> Place:
    mpp = float(row["mpp"]) if row.get("mpp") else None
    return Place(row["name"], int(row["offset"]), int(row["height"]), int(row["width"]), row["stratum"], mpp)
