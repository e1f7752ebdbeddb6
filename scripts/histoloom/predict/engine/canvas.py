"""Where tiles are cut from and blended, on the network's device: a band of pixels, and a band of sums beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8

from histoloom.networks import memory_format, network_input
from histoloom.predict.engine.handover import on_device
from histoloom.predict.engine.sweep_plan import Layout


@dataclass(frozen=True)
class Run:
    """Neighbouring tiles of a row: the row in its group, first column, the one after the last, place in the batch."""

    row: int
    first: int
    last: int
    place: int


class Canvas:
    """The pixels that a group of tile rows sees, and for each the sum of what its tiles say of it, times `weights`.

    Nothing is done tile by tile, so that on a GPU a batch takes a handful of launches however many tiles it has.
    """

    def __init__(
        self, layout: Layout, channels: int, weights: Float32[torch.Tensor, "tile tile"], is_always_full: bool
    ) -> None:
        """A batch that `is_always_full` is filled up with empty tiles, for networks compiled for its size."""
        self._layout, self._weights, self._is_always_full = layout, weights[:, None], is_always_full
        device, size = weights.device, (layout.canvas_rows, layout.canvas_columns)
        self._pixels = torch.zeros(3, *size, device=device)
        self._sums = torch.zeros(channels, *size, device=device)
        shape = (layout.batch_size, 3, layout.tile_px, layout.tile_px)
        self._batch = torch.zeros(shape, device=device).contiguous(memory_format=memory_format(device))

    def put(self, pixels: UInt8[np.ndarray, "rows columns 3"], is_fresh: bool) -> None:
        """Lay rows under those that are kept; a fresh canvas keeps none, and all sums are 0."""
        images = network_input(on_device(pixels, self._pixels.device)[None])[0]
        if is_fresh:
            self._sums.zero_()
        place = 0 if is_fresh else self._layout.reach
        self._pixels[:, place : place + len(pixels)] = images

    def tiles(self, batch: list[Run]) -> Float32[torch.Tensor, "n 3 tile tile"]:
        """The tiles of a batch; they are overwritten by those of the next one."""
        tile_px, stride = self._layout.tile_px, self._layout.stride
        every = self._pixels.unfold(1, tile_px, stride).unfold(2, tile_px, stride).permute(1, 2, 0, 3, 4)
        for run in batch:
            self._batch[run.place : run.place + run.last - run.first] = every[run.row, run.first : run.last]
        count = batch[-1].place + batch[-1].last - batch[-1].first
        if not self._is_always_full:
            return self._batch[:count]
        self._batch[count:] = 0
        return self._batch

    def add(self, values: Float32[torch.Tensor, "n channels tile tile"], batch: list[Run]) -> None:
        """Blend what was predicted of a batch of tiles."""
        for run in batch:
            self._add(values[run.place : run.place + run.last - run.first], run)

    def _add(self, values: Float32[torch.Tensor, "n channels tile tile"], run: Run) -> None:
        # Every root-th tile of a row ends where the next one begins: these are added at once.
        stride, tile_px, root = self._layout.stride, self._layout.tile_px, isqrt(self._layout.overlap)
        sums = self._sums[:, run.row * stride : run.row * stride + tile_px]
        for start in range(min(root, len(values))):
            abutting = values[start::root]
            left = (run.first + start) * stride
            part = sums[..., left : left + len(abutting) * tile_px].unflatten(2, (len(abutting), tile_px))
            part.addcmul_(abutting.permute(1, 2, 0, 3), self._weights)

    def finished(self, first: int, last: int) -> Float32[torch.Tensor, "rows width channels"]:
        """The sums of rows `first` up to but without `last`, both of the canvas, within the image's columns; a copy."""
        columns = slice(self._layout.reach, self._layout.reach + self._layout.width)
        return self._sums[:, first:last, columns].clone().permute(1, 2, 0)

    def move_down(self) -> None:
        """Keep what the next group sees again, as its first rows."""
        step, reach = self._layout.step, self._layout.reach
        # In parts that do not overlap where they come from.
        for first in range(0, reach, step):
            count = min(step, reach - first)
            for rows in (self._pixels, self._sums):
                rows[:, first : first + count] = rows[:, first + step : first + step + count]
        self._sums[:, reach:] = 0


def batches(runs: Bool[np.ndarray, "tile_rows tile_columns"], batch_size: int) -> Iterator[list[Run]]:
    """The tiles that run, row by row, `batch_size` at a time, as runs of neighbours."""
    rows, columns = np.nonzero(runs)
    for first in range(0, len(rows), batch_size):
        some = rows[first : first + batch_size], columns[first : first + batch_size]
        ends = np.flatnonzero((np.diff(some[0]) != 0) | (np.diff(some[1]) != 1)) + 1
        bounds = [0, *map(int, ends), len(some[0])]
        yield [Run(int(some[0][a]), int(some[1][a]), int(some[1][b - 1]) + 1, a) for a, b in pairwise(bounds)]
