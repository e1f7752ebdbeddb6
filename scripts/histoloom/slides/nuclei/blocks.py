"""Nuclei of a whole slide, block by block: each belongs to the block that its centroid lies in, so none is doubled."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Int8, Int32, UInt8

from histoloom.formats.polygons import label_polygons
from histoloom.plugins import load
from histoloom.predict.foreground import renumbered
from histoloom.slides.band_store import BAND_PX
from histoloom.slides.nuclei.measures import Measures, measured
from histoloom.slides.nuclei.table import NucleiTable, joined

BLOCK_PX = (1024, 4096)  # rows and columns: flat, since all columns of a row of blocks are in memory
MARGIN_PX = 128  # 32 µm at 40x: the largest nuclei of tumours, and as much again of neighbours that shape their outline

ReadRows = Callable[[int, int], np.ndarray]
Span = tuple[int, int]


@dataclass(frozen=True)
class Block:
    """Rows and columns of a slide that a block answers for, and those with its margin, first and after the last."""

    rows: Span
    columns: Span
    seen_rows: Span
    seen_columns: Span

    @property
    def inside(self) -> tuple[slice, slice]:
        """The block's own pixels within what it sees."""
        pairs = ((self.rows, self.seen_rows), (self.columns, self.seen_columns))
        rows, columns = (slice(own[0] - seen[0], own[1] - seen[0]) for own, seen in pairs)
        return rows, columns


def nuclei_of_slide(
    probabilities: ReadRows,
    maps: ReadRows | None,
    shape: tuple[int, int],
    method: str,
    options: Mapping[str, Any],
    *,
    min_area_px: int,
    block_px: tuple[int, int] = BLOCK_PX,
    margin_px: int = MARGIN_PX,
) -> Iterator[NucleiTable]:
    """The nuclei of a slide of `shape` working pixels, a table for each row of blocks from top to bottom.

    `probabilities(first, last)` and `maps(first, last)` read rows as (rows, width, channels), uint8 and int8: the
    method `rows` of a BandStore. Each row is read once, but twice by a method that has to survey the slide first.
    `method` is a post-processing, `options` its own. Blocks of `block_px` rows and columns are post-processed with
    `margin_px` more on each side; those without foreground are skipped.

    The nuclei are those that the method would find in the whole slide at once, as long as none is longer than the
    margin and none is shaped by what lies further away. Where that fails, two blocks see a nucleus across their border
    differently, so that it may be doubled, cut or missing: `disputed` of each table counts what not all blocks it lies
    in saw alike.
    Raises InputError for options that the method refuses, and ValueError for a method whose nuclei are in pieces.
    """
    blocks = _blocks(shape, block_px, margin_px)
    parts = partial(_parts, probabilities, maps, blocks)
    postprocess = _surveyed(load("postprocessors", method), parts, options)
    sightings = Sightings(block_px)
    for number, row_parts in enumerate(parts()):
        tables = []
        for block, seen, seen_maps in row_parts:
            found = postprocess(seen, seen_maps)
            at = (block.seen_rows[0], block.seen_columns[0])
            measures = measured(found, seen).at(*at)
            is_large = measures.area_px >= min_area_px
            sightings.add(block, measures.of(is_large))
            is_own = is_large & _has_centroid_in(block, measures)
            tables.append(_table(found, is_own, measures.of(is_own), at))
        yield replace(joined(tables), disputed=sightings.settled(number))


class Sightings:
    """What blocks saw of the nuclei that lie in several: each of these blocks has to see the same."""

    def __init__(self, block_px: tuple[int, int]) -> None:
        self.block_px = block_px
        self._seen: dict[tuple[int, ...], int] = {}

    def add(self, block: Block, measures: Measures) -> None:
        """Note the nuclei that lie in this block and in others."""
        first, last = measures.box[:, :2] // self.block_px, measures.box[:, 2:] // self.block_px
        place = np.array([block.rows[0], block.columns[0]]) // self.block_px
        is_shared = ((first <= place) & (place <= last)).all(axis=1) & (first < last).any(axis=1)
        shared = measures.of(is_shared)
        for key in np.column_stack([shared.box, shared.area_px, shared.row_sum, shared.column_sum]).tolist():
            self._seen[tuple(key)] = self._seen.get(tuple(key), 0) + 1

    def settled(self, row_of_blocks: int) -> int:
        """How many nuclei that end in this row of blocks, or above, were not seen by all blocks; they are forgotten."""
        rows, columns = self.block_px
        disputed = 0
        for key in [key for key in self._seen if key[2] // rows <= row_of_blocks]:
            height, width = key[2] // rows - key[0] // rows + 1, key[3] // columns - key[1] // columns + 1
            disputed += self._seen.pop(key) != height * width
        return disputed


def _blocks(shape: tuple[int, int], block_px: tuple[int, int], margin_px: int) -> list[list[Block]]:
    spans = [
        [(first, min(first + step, side)) for first in range(0, side, step)]
        for side, step in zip(shape, block_px, strict=True)
    ]
    seen = [
        [(max(first - margin_px, 0), min(last + margin_px, side)) for first, last in own]
        for own, side in zip(spans, shape, strict=True)
    ]
    return [
        [Block(rows, columns, seen_rows, seen_columns) for columns, seen_columns in zip(spans[1], seen[1], strict=True)]
        for rows, seen_rows in zip(spans[0], seen[0], strict=True)
    ]


def _parts(
    probabilities: ReadRows, maps: ReadRows | None, blocks: list[list[Block]]
) -> Iterator[Iterator[tuple[Block, UInt8[np.ndarray, "h w c"], Int8[np.ndarray, "h w 2"] | None]]]:
    # For each row of blocks those that have foreground, with what they see.
    spans = [row[0].seen_rows for row in blocks]
    bands = _windows(probabilities, spans)
    map_bands = _windows(maps, spans) if maps else iter([None] * len(spans))
    for row, band, map_band in zip(blocks, bands, map_bands, strict=True):
        yield _with_foreground(row, band, map_band)


def _with_foreground(row: list[Block], band: np.ndarray, map_band: np.ndarray | None) -> Iterator[tuple]:
    for block in row:
        columns = slice(*block.seen_columns)
        if (band[:, columns, 0] < 255).any():
            yield block, band[:, columns], None if map_band is None else map_band[:, columns]


def _windows(read: ReadRows, spans: list[Span]) -> Iterator[np.ndarray]:
    # Rows of each span, channel by channel in memory; what two spans share is read once and moved. Each is overwritten
    # by the next.
    most = max(last - first for first, last in spans)
    until, window = 0, np.zeros((0, most, 0))
    for first, last in spans:
        kept = max(until - first, 0)
        if kept:
            window[:, :kept] = window[:, size - kept : size]
        while until < last:
            start, until = max(until, first), min((max(until, first) // BAND_PX + 1) * BAND_PX, last)
            rows = read(start, until)
            if window.size == 0:
                window = np.empty((rows.shape[2], most, rows.shape[1]), rows.dtype)
            window[:, start - first : until - first] = rows.transpose(2, 0, 1)
        size = last - first
        yield window[:, :size].transpose(1, 2, 0)


def _surveyed(method: Callable, parts: Callable[[], Iterator], options: Mapping[str, Any]) -> Callable:
    # A method that scales by the whole image says with a function `survey` by what; largest figures count.
    survey = getattr(sys.modules[method.__module__], "survey", None)
    if survey is None:
        return partial(method, **options)
    figures = [
        survey(seen, seen_maps, block.inside, **options)
        for row_parts in parts()
        for block, seen, seen_maps in row_parts
    ]
    return partial(method, surveyed=np.max(figures, axis=0) if figures else None, **options)


def _has_centroid_in(block: Block, measures: Measures) -> Bool[np.ndarray, " nuclei"]:
    # In whole numbers, so that two blocks never both take a nucleus, or leave it to each other.
    is_in = np.ones(len(measures.area_px), bool)
    for (first, last), total in ((block.rows, measures.row_sum), (block.columns, measures.column_sum)):
        is_in &= (first * measures.area_px <= total) & (total < last * measures.area_px)
    return is_in


def _table(
    found: Int32[np.ndarray, "height width"],
    is_own: Bool[np.ndarray, " nuclei"],
    measures: Measures,
    at: tuple[int, int],
) -> NucleiTable:
    if not is_own.any():
        return joined([])
    top, left = measures.box[:, :2].min(axis=0)
    bottom, right = measures.box[:, 2:].max(axis=0) + 1
    cropped = found[top - at[0] : bottom - at[0], left - at[1] : right - at[1]]
    rings = label_polygons(renumbered(cropped, np.append(False, is_own)))
    count = len(measures.area_px)
    if (pieces := int((~rings.is_hole).sum())) != count:
        raise ValueError(f"{count} nuclei are in {pieces} pieces; expected each in one, joined by pixel edges")
    best = measures.class_sums.argmax(axis=1)
    return NucleiTable(
        class_index=(best + 1).astype(np.uint8),
        area_px=measures.area_px.astype(np.int32),
        row=measures.row_sum / measures.area_px,
        column=measures.column_sum / measures.area_px,
        mean_probability=(measures.class_sums.max(axis=1) / measures.area_px / 255).astype(np.float32),
        ring_start=np.searchsorted(rings.label, np.arange(1, count + 2)).astype(np.int64),
        vertex_start=rings.start,
        vertices=rings.vertices + np.array([left, top], np.int32),
    )
