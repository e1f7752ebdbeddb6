"""The memory-mapped pixels of a dataset and the windows on them, as training reads them (tile_layout.py writes them).

images.npy (pixels, 3) and masks.npy (pixels,) hold one image after the other, row by row, at working resolution.
Processes and loader workers share the pages that the system keeps in memory.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from histoloom.errors import InputError
from histoloom.prepared import read_table

IMAGE_COLUMNS = ("name", "offset", "height", "width")
WINDOW_COLUMNS = ("name", "row", "column", "tile_px")


@dataclass(frozen=True)
class Place:
    """Where an image lies in the pixel files: its first pixel and its size at working resolution."""

    name: str
    offset: int
    height: int
    width: int


@dataclass(frozen=True)
class Window:
    """A training window: an image and its top-left pixel at working resolution."""

    name: str
    row: int
    column: int


@dataclass(frozen=True)
class TileStore:
    """Images and masks by name, as views of the memory-mapped files: nothing is read before it is used."""

    paths: tuple[Path, Path, Path]
    pixels: UInt8[np.ndarray, "pixels 3"]
    classes: UInt8[np.ndarray, "pixels"]
    places: dict[str, Place]

    @classmethod
    def open(cls, images: Path, masks: Path, image_table: Path) -> "TileStore":
        """Map the files of one dataset; raises InputError where they are not of one run."""
        places = {row["name"]: _place(row) for row in read_table(image_table)}
        pixels, classes = np.load(images, mmap_mode="r"), np.load(masks, mmap_mode="r")
        expected = sum(place.height * place.width for place in places.values())
        if not len(pixels) == len(classes) == expected:
            raise InputError(
                f"{images}: {len(pixels)} pixels, {masks}: {len(classes)}; expected {expected}, the sum of "
                f"{image_table}; remove the folder and run the workflow again"
            )
        return cls((images, masks, image_table), pixels, classes, places)

    def image(self, name: str) -> UInt8[np.ndarray, "height width 3"]:
        """RGB pixels of an image at working resolution, read-only."""
        place = self.places[name]
        return self.pixels[place.offset :][: place.height * place.width].reshape(place.height, place.width, 3)

    def mask(self, name: str) -> UInt8[np.ndarray, "height width"]:
        """Class indices of an image at working resolution, read-only."""
        place = self.places[name]
        return self.classes[place.offset :][: place.height * place.width].reshape(place.height, place.width)

    def __reduce__(self):
        # Sent to a spawned loader worker, a memory map would be copied whole.
        return TileStore.open, self.paths


def read_windows(path: Path) -> list[Window]:
    """Read windows.csv."""
    return [Window(row["name"], int(row["row"]), int(row["column"])) for row in read_table(path)]


def _place(row: dict[str, str]) -> Place:
    return Place(row["name"], int(row["offset"]), int(row["height"]), int(row["width"]))
