"""What a sweep over an image does, known before it begins: which tiles run together, and which rows are read for them.

Rows of tiles are predicted in groups that end where their width and the batch say so, counted from the first row of
tiles. So a sweep that starts further down computes the same batches, and gives the same bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt

import numpy as np
from jaxtyping import Bool, Int32

from histoloom.mirroring import mirrored_part
from histoloom.predict.engine.tiling import stride_px
from histoloom.predict.engine.tissue_mask import TissueMask

BATCHES_A_GROUP = 4  # so that the last batch of a group, which may be a small one, is a small share of it


@dataclass(frozen=True)
class Layout:
    """Where the tiles of an image lie: `rows` x `columns` of them, in groups of rows.

    Every pixel lies in exactly `overlap` tiles, so tiles leave the image on all sides: the first begin `reach` pixels
    before it, the last are the last that touch it.
    """

    height: int
    width: int
    tile_px: int
    overlap: int
    batch_size: int

    @property
    def stride(self) -> int:
        """Pixels from one tile to the next."""
        return stride_px(self.tile_px, self.overlap)

    @property
    def reach(self) -> int:
        """By how many pixels the first tiles begin before the image."""
        return self.tile_px - self.stride

    @property
    def rows(self) -> int:
        """How many rows of tiles there are."""
        return -(-self.height // self.stride) + isqrt(self.overlap) - 1

    @property
    def columns(self) -> int:
        """How many tiles a row has."""
        return -(-self.width // self.stride) + isqrt(self.overlap) - 1

    @property
    def group_rows(self) -> int:
        """How many rows of tiles are predicted together: some batches, whatever the width."""
        return min(-(-BATCHES_A_GROUP * self.batch_size // self.columns), self.rows)

    @property
    def step(self) -> int:
        """Pixel rows that a group finishes."""
        return self.group_rows * self.stride

    @property
    def canvas_rows(self) -> int:
        """Pixel rows that a group sees."""
        return self.step + self.reach

    @property
    def canvas_columns(self) -> int:
        """Pixel columns that a row of tiles sees."""
        return self.columns * self.stride + self.reach


@dataclass(frozen=True)
class Group:
    """Rows of tiles that are predicted together; rows of pixels count from the image's first, and may lie beyond it.

    runs: which of the tiles are predicted; none in a group without tissue, which needs no pixels.
    top: pixel row at which the group's first tiles begin. Its finished rows begin there too.
    is_fresh: nothing of the group before is gone on with.
    shown: first pixel row of what is still to be put on the canvas, and the one after the last.
    read: rows of the image that are read for it, or None; kept_from: rows above are not needed any more after it.
    """

    runs: Bool[np.ndarray, "tile_rows tile_columns"]
    top: int
    is_fresh: bool
    shown: tuple[int, int]
    read: tuple[int, int] | None
    kept_from: int


class Mirror:
    """Rows beyond an image's border, by the definition of `mirroring.mirrored_part`."""

    def __init__(self, height: int) -> None:
        self._numbers = np.arange(height, dtype=np.int32)[:, None]

    def rows(self, first: int, last: int) -> Int32[np.ndarray, " rows"]:
        """Which row of the image each of rows `first` up to but without `last` shows."""
        return mirrored_part(self._numbers, first, 0, last - first, 1)[:, 0]


def plan(layout: Layout, tissue: TissueMask | None, first_row: int = 0) -> list[Group]:
    """The groups that a sweep takes from the one that finishes `first_row` to the last.

    No tile without tissue runs. Rows that no tile needs are not read, others once.
    """
    begun = range(first_row // layout.step, -(-layout.rows // layout.group_rows))
    drafts = [(number * layout.step - layout.reach, _runs(layout, tissue, number)) for number in begun]
    is_active = [False, *(bool(runs.any()) for _, runs in drafts)]
    fresh = [here and not before for before, here in pairwise(is_active)]
    shown = [_shown(layout, *draft, is_fresh) for draft, is_fresh in zip(drafts, fresh, strict=True)]
    reads = _reads(layout, shown)
    rest = zip(drafts, fresh, shown, reads, strict=True)
    return [Group(runs, top, is_fresh, rows, *read) for (top, runs), is_fresh, rows, read in rest]


def _runs(layout: Layout, tissue: TissueMask | None, number: int) -> Bool[np.ndarray, "tile_rows tile_columns"]:
    first = number * layout.group_rows
    tile_rows = range(first, min(first + layout.group_rows, layout.rows))
    if tissue is None:
        return np.ones((len(tile_rows), layout.columns), bool)
    corners = np.arange(layout.columns) * layout.stride - layout.reach
    lefts, rights = np.maximum(corners, 0), np.minimum(corners + layout.tile_px, layout.width)
    tops = [row * layout.stride - layout.reach for row in tile_rows]
    return np.stack(
        [tissue.touched(max(top, 0), min(top + layout.tile_px, layout.height), lefts, rights) for top in tops]
    )


def _shown(layout: Layout, top: int, runs: np.ndarray, is_fresh: bool) -> tuple[int, int]:
    if not runs.any():
        return top, top
    return top if is_fresh else top + layout.reach, top + layout.reach + len(runs) * layout.stride


def _reads(layout: Layout, shown: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int] | None, int]]:
    # For each group the rows that it reads, and from which row on those read are needed by later ones.
    mirror = Mirror(layout.height)
    spans = [_span(mirror.rows(*rows)) if rows[0] < rows[1] else None for rows in shown]
    least = np.minimum.accumulate([span[0] if span else layout.height for span in reversed(spans)])[::-1]
    held = (0, 0)
    for span, kept_from in zip(spans, [*map(int, least[1:]), layout.height], strict=True):
        read = _missing(span, held) if span else None
        if read:
            held = (held[0] if read[0] == held[1] else read[0], read[1])
        held = (min(max(held[0], kept_from), held[1]), held[1])
        yield read, kept_from


def _span(rows: Int32[np.ndarray, " rows"]) -> tuple[int, int]:
    return int(rows.min()), int(rows.max()) + 1


def _missing(span: tuple[int, int], held: tuple[int, int]) -> tuple[int, int] | None:
    if held[0] <= span[0] <= held[1]:
        return (held[1], span[1]) if span[1] > held[1] else None
    return span
