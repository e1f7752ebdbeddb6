"""Annotated slides cut into windows: what was drawn where, and each window's image, mask and nuclei."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import shapely
from jaxtyping import Int32

from histoloom.errors import InputError
from histoloom.formats.shapes import paint
from histoloom.formats.slides.slide import Slide
from histoloom.prepare.reading.class_map import DROPPED, class_values
from histoloom.prepare.reading.drawn_layers import Cutting, Layers, read_layers
from histoloom.prepare.reading.pairs import Pair
from histoloom.sample import IGNORE, Sample


@dataclass(frozen=True)
class Window:
    """A rectangle of working pixels; `is_whole` where it is the whole image."""

    column: int
    row: int
    width: int
    height: int
    is_whole: bool


@dataclass(frozen=True)
class Survey:
    """What one annotation file holds: the classes of QuPath that paint, the classes of the study that they become, the
    windows with an annotated pixel, and how many objects were drawn, repaired and left out."""

    names: frozenset[str]
    targets: frozenset[str]
    windows: tuple[Window, ...]
    counts: Counter


def survey(pair: Pair, cutting: Cutting) -> Survey:
    """Read an annotation and the size of its image, and find the windows that hold an annotated pixel.

    Raises InputError for a bad file, a class that the map lacks, and annotations that paint no pixel of the image.
    """
    layers = _layers(pair.annotation, _stamp(pair.annotation), cutting)
    slide = _slide(pair.image, _stamp(pair.image))
    width, height = slide.size_at(cutting.downsample)
    windows = tuple(
        window for window in _grid(layers, width, height, cutting) if _is_annotated(layers, window, cutting)
    )
    if not windows:
        bounds = ", ".join(f"{side:.0f}" for side in shapely.total_bounds(layers.geometries))
        raise InputError(
            f"{pair.annotation}: annotates no pixel of {pair.image.name} ({slide.width} x {slide.height}; the shapes' "
            f"left, top, right, bottom are {bounds}); expected full-resolution pixels of that image; check that the "
            "two belong together, and what Ignore* covers"
        )
    return Survey(layers.names, frozenset(layers.targets), windows, layers.counts)


def read_window(
    root: Path, pair: Pair, window: Window, cutting: Cutting, classes: Sequence[str], group: str, stratum: str
) -> Sample:
    """Read one window as a sample; an empty `group` makes the window its own.

    Raises InputError where the slide cannot be decoded there.
    """
    slide = _slide(pair.image, _stamp(pair.image))
    layers = _layers(pair.annotation, _stamp(pair.annotation), cutting)
    shown, inner = _with_margin(window, slide.size_at(cutting.downsample), cutting.margin_px)
    image = slide.read(shown.column, shown.row, shown.width, shown.height, cutting.downsample)
    mask = np.full(image.shape[:2], IGNORE, np.uint8)
    mask[inner] = _mask(layers, window, cutting.downsample, class_values(classes))
    instances = None
    if cutting.searches_nuclei:
        instances = np.zeros(image.shape[:2], np.int32)
        instances[inner] = _instances(layers, window, cutting.downsample)
    x, y = shown.column * cutting.downsample, shown.row * cutting.downsample
    name = pair.stem if window.is_whole else f"{pair.stem}_x{x}_y{y}"
    place = "" if window.is_whole else f" x={x} y={y} w={shown.width} h={shown.height} d={cutting.downsample}"
    mpp = cutting.mpp or slide.mpp
    return Sample(
        name,
        image,
        mask,
        instances,
        mpp * cutting.downsample if mpp else None,
        group or name,
        stratum,
        source=f"{pair.image.relative_to(root).as_posix()}{place}",
    )


@lru_cache(maxsize=1)
def _slide(path: Path, stamp: tuple[int, int]) -> Slide:
    # Windows come slide by slide: the last one stays open, since opening takes as long as reading a window.
    return Slide(path)


@lru_cache(maxsize=1)
def _layers(path: Path, stamp: tuple[int, int], cutting: Cutting) -> Layers:
    return read_layers(path, cutting)


def _grid(layers: Layers, width: int, height: int, cutting: Cutting) -> list[Window]:
    """The windows of the grid that some shape touches, row by row."""
    side = cutting.region_px
    if width <= side and height <= side:
        return [Window(0, 0, width, height, True)] if width and height else []
    columns, rows = np.meshgrid(np.arange(0, width, side), np.arange(0, height, side))
    left, top = columns.ravel(), rows.ravel()
    right, bottom = np.minimum(left + side, width), np.minimum(top + side, height)
    boxes = shapely.box(*(edge * cutting.downsample for edge in (left, top, right, bottom)))
    touched = np.unique(layers.tree.query(boxes)[0])
    edges = np.stack([left, top, right - left, bottom - top], axis=1)[touched]
    return [Window(*edge, False) for edge in edges.tolist()]


def _is_annotated(layers: Layers, window: Window, cutting: Cutting) -> bool:
    values = dict.fromkeys(layers.targets, 1) | {DROPPED: IGNORE}
    return bool((_mask(layers, window, cutting.downsample, values) != IGNORE).any())


def _mask(layers: Layers, window: Window, downsample: int, values: Mapping[str, int]) -> np.ndarray:
    touching = _touching(layers, window, downsample)
    painted = [values[layers.targets[index]] for index in touching]
    return _painted(layers, touching, painted, window, downsample, IGNORE).astype(np.uint8)


def _instances(layers: Layers, window: Window, downsample: int) -> Int32[np.ndarray, "height width"]:
    nuclei = [index for index in _touching(layers, window, downsample) if layers.is_nucleus[index]]
    ids = _painted(layers, nuclei, list(range(1, len(nuclei) + 1)), window, downsample, 0)
    visible = np.unique(ids[ids > 0])
    return np.where(ids > 0, np.searchsorted(visible, ids) + 1, 0).astype(np.int32)


def _touching(layers: Layers, window: Window, downsample: int) -> list[int]:
    left, top = window.column * downsample, window.row * downsample
    box = shapely.box(left, top, left + window.width * downsample, top + window.height * downsample)
    return sorted(layers.tree.query(box).tolist())


def _painted(
    layers: Layers,
    chosen: Sequence[int],
    values: Sequence[int],
    window: Window,
    downsample: int,
    fill: int,
) -> Int32[np.ndarray, "height width"]:
    geometries = [layers.geometries[index] for index in chosen]
    place = {"column": window.column, "row": window.row, "width": window.width, "height": window.height}
    return paint(geometries, values, **place, downsample=downsample, fill=fill)


def _with_margin(window: Window, size: tuple[int, int], margin: int) -> tuple[Window, tuple[slice, slice]]:
    """The window with its margin, as far as the image reaches, and where the window itself lies in it."""
    column, row = max(0, window.column - margin), max(0, window.row - margin)
    right = min(size[0], window.column + window.width + margin)
    bottom = min(size[1], window.row + window.height + margin)
    top, left = window.row - row, window.column - column
    inner = (slice(top, top + window.height), slice(left, left + window.width))
    return Window(column, row, right - column, bottom - row, window.is_whole), inner


def _stamp(path: Path) -> tuple[int, int]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected it as when the dataset was listed; put it back")
    return path.stat().st_mtime_ns, path.stat().st_size
