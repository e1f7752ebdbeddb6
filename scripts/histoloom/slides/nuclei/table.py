"""Nuclei of a slide as arrays: class, place, area, probability and outline of each, a file for every row of blocks."""

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt8

from histoloom.errors import InputError
from histoloom.files import atomic_file


@dataclass(frozen=True)
class NucleiTable:
    """What is known of N nuclei, in working pixels of the whole slide.

    `class_index` counts background as 0, so it is 1 or more. `row` and `column` are the mean of the pixels' indices:
    the centre of the top left pixel is (0, 0). `mean_probability`, 0 to 1, is that of the nucleus' own class.
    The outline of nucleus i are rings `ring_start[i]` up to `ring_start[i + 1]`, exterior first, then holes; ring r is
    `vertices[vertex_start[r]:vertex_start[r + 1]]`, (x, y) of the corners of pixel edges, origin at the top left corner
    of the slide, the first not repeated. `disputed` is how many nuclei two blocks of the slide saw differently.
    """

    class_index: UInt8[np.ndarray, " nuclei"]
    area_px: Int32[np.ndarray, " nuclei"]
    row: Float64[np.ndarray, " nuclei"]
    column: Float64[np.ndarray, " nuclei"]
    mean_probability: Float32[np.ndarray, " nuclei"]
    ring_start: Int64[np.ndarray, " nuclei_and_1"]
    vertex_start: Int64[np.ndarray, " rings_and_1"]
    vertices: Int32[np.ndarray, "vertices 2"]
    disputed: int = 0

    def __len__(self) -> int:
        return len(self.class_index)

    def rings(self, nucleus: int) -> list[Int32[np.ndarray, "corners 2"]]:
        """The rings of one nucleus, exterior first; `nucleus` counts from 0."""
        first, last = self.ring_start[nucleus : nucleus + 2]
        return np.split(self.vertices, self.vertex_start[first : last + 1])[1:-1]


ARRAYS = tuple(field.name for field in fields(NucleiTable) if field.name != "disputed")
STARTS = {"ring_start": "vertex_start", "vertex_start": "vertices"}  # where each list of starts points to


def joined(tables: Iterable[NucleiTable]) -> NucleiTable:
    """The nuclei of several tables in their order; an empty table where there is none."""
    parts = [_empty(), *tables]
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS if name not in STARTS}
    for name, pointed in STARTS.items():
        counts = [len(getattr(part, pointed)) - (pointed in STARTS) for part in parts]
        moves = np.cumsum([0, *counts[:-1]])
        starts = [getattr(part, name)[1:] + move for part, move in zip(parts, moves, strict=True)]
        arrays[name] = np.concatenate([np.zeros(1, np.int64), *starts])
    return NucleiTable(**arrays, disputed=sum(part.disputed for part in parts))


def write_table(path: Path, table: NucleiTable) -> None:
    """Write one table as .npz, atomically; the same table gives the same bytes."""
    with atomic_file(path) as part:
        np.savez(part, disputed=np.int64(table.disputed), **{name: getattr(table, name) for name in ARRAYS})


def read_table(path: Path) -> NucleiTable:
    """Read a table that `write_table` wrote. Raises InputError where it is none, or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            return NucleiTable(**{name: content[name] for name in ARRAYS}, disputed=int(content["disputed"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: cannot be read ({type(error).__name__}); expected a table of nuclei; remove it and run "
            "postprocess_slide again"
        ) from error


def write_tables(folder: Path, tables: Iterable[NucleiTable]) -> tuple[int, int]:
    """Write a file for each table, in order, as they come; how many nuclei they hold, and how many are disputed."""
    nuclei = disputed = 0
    for number, table in enumerate(tables):
        write_table(folder / f"{number:06d}.npz", table)
        nuclei, disputed = nuclei + len(table), disputed + table.disputed
    return nuclei, disputed


def read_tables(folder: Path) -> Iterator[NucleiTable]:
    """The tables that `write_tables` wrote, in order, one in memory at a time.

    Raises InputError for a folder without any, a missing one and a damaged one.
    """
    count = len(list(folder.glob("*.npz")))
    if count == 0:
        raise InputError(f"{folder}: no table of nuclei; expected 000000.npz and on; run postprocess_slide again")
    for number in range(count):
        yield read_table(folder / f"{number:06d}.npz")


def _empty() -> NucleiTable:
    types = {"class_index": np.uint8, "area_px": np.int32, "mean_probability": np.float32, "vertices": np.int32}
    arrays = {name: np.zeros(0, types.get(name, np.float64)) for name in ARRAYS if name not in STARTS}
    arrays |= {name: np.zeros(1, np.int64) for name in STARTS}
    return NucleiTable(**arrays | {"vertices": np.zeros((0, 2), np.int32)})
