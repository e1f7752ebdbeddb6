"""Laying out a dataset for training: all pixels decoded once into three arrays, and a grid of windows on them.

Training reads random windows for hours: to decode a PNG for each would cost more than the network on a GPU.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from histoloom.errors import InputError
from histoloom.files import atomic_file
from histoloom.formats.images import read_image, read_instances, read_mask
from histoloom.prepared import IndexRow
from histoloom.sample import IGNORE
from histoloom.split.downsample import downsampled_image, downsampled_instances, downsampled_length, downsampled_mask
from histoloom.split.tiles import Place, TileStore, Window


def write_pixels(
    index: Sequence[IndexRow],
    downsample: int,
    images: Path,
    masks: Path,
    instances: Path,
    tell: Callable[[str], None] = lambda message: None,
) -> list[Place]:
    """Write all pixels at 1/downsample of their resolution, one image in memory at a time; tell where each lies.

    `instances` becomes an empty array where no image has nucleus ids. `tell` is called with a message on each class
    that loses most of its annotated pixels, as thin strokes do. Raises InputError where a class loses all of them,
    where some images have nucleus ids and others not, and where a file's size is not the one that index.csv states.
    """
    places = list(_lay_out(index, downsample))
    total = sum(place.height * place.width for place in places)
    ids_total = total if _has_instances(index) else 0
    native, kept = np.zeros(256, np.int64), np.zeros(256, np.int64)  # pixels of each mask value
    with atomic_file(images) as image_part, atomic_file(masks) as mask_part, atomic_file(instances) as instance_part:
        pixels = reserved_array(image_part, np.uint8, (total, 3))
        classes = reserved_array(mask_part, np.uint8, (total,))
        ids = reserved_array(instance_part, np.int32, (ids_total,))
        for row, place in zip(index, places, strict=True):
            image, mask, nuclei = _read_sized(row)
            span = slice(place.offset, place.offset + place.height * place.width)
            pixels[span] = downsampled_image(image, downsample).reshape(-1, 3)
            classes[span] = downsampled_mask(mask, downsample).reshape(-1)
            native += np.bincount(mask.reshape(-1), minlength=256)
            kept += np.bincount(classes[span], minlength=256)
            if nuclei is not None:
                ids[span] = downsampled_instances(nuclei, mask, downsample).reshape(-1)
        _tell_of_losses(native[:IGNORE], kept[:IGNORE] * downsample**2, downsample, tell)
        for array in (pixels, classes, ids):
            array.flush()
    return places


def _tell_of_losses(
    native: Int64[np.ndarray, " values"],
    kept: Int64[np.ndarray, " values"],
    downsample: int,
    tell: Callable[[str], None],
) -> None:
    for index in np.flatnonzero(2 * kept < native):
        message = (
            f"tiles.downsample: {downsample}; of the {native[index]} pixels annotated as class {index} {kept[index]} "
            f"are left; expected half of them at least: {downsample} x {downsample} pixels become one, of the class "
            "that most have, and of none where most are not annotated;\nlower tiles.downsample, or draw wider strokes"
        )
        if not kept[index]:
            raise InputError(message)
        tell(message)


def reserved_array(path: Path, kind: type, shape: tuple[int, ...]) -> np.memmap:
    """A new array in a file, whose room on the disk is taken at once; raises OSError where there is too little."""
    array = np.lib.format.open_memmap(path, "w+", kind, shape)
    if hasattr(os, "posix_fallocate"):  # takes the room now: a page that finds none later kills the process (SIGBUS)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def annotated_windows(store: TileStore, tile_px: int, stride_px: int) -> list[Window]:
    """Give the windows of a grid on each image that hold at least one annotated pixel, each moved over what it holds.

    What is annotated in a window comes to lie in its middle, as far as the image goes; none of it is lost, and where
    all is annotated the grid stays. Two windows that come to lie upon each other are one. Raises InputError where the
    grid would leave gaps, or nothing at all is annotated.
    """
    if stride_px > tile_px:
        raise InputError(
            f"tiles.stride_px: {stride_px}; expected at most tiles.tile_px, {tile_px}, since pixels between windows "
            "would never be learnt from; lower stride_px"
        )
    found = (
        Window(place.name, *corner)
        for place in store.places.values()
        for row in window_starts(place.height, tile_px, stride_px)
        for column in window_starts(place.width, tile_px, stride_px)
        if (corner := _centred(store.mask(place.name), row, column, tile_px))
    )
    windows = list(dict.fromkeys(found))
    if not windows:
        raise InputError(
            f"{store.paths[1]}: no pixel is annotated, all of them are {IGNORE}; expected one image at least with an "
            "annotation; annotate some of the dataset's images"
        )
    return windows


def _centred(mask: UInt8[np.ndarray, "height width"], row: int, column: int, tile_px: int) -> tuple[int, int] | None:
    """The corner of the window moved so that its annotated pixels' bounding box is in its middle; None without any."""
    annotated = mask[row : row + tile_px, column : column + tile_px] != IGNORE
    if not annotated.any():
        return None
    spans = (np.flatnonzero(annotated.any(axis)) for axis in (1, 0))
    middles = [start + (span[0] + span[-1] + 1) // 2 for start, span in zip((row, column), spans, strict=True)]
    moved = (min(middle - tile_px // 2, length - tile_px) for middle, length in zip(middles, mask.shape, strict=True))
    top, left = (max(0, int(start)) for start in moved)
    return top, left


def window_starts(length: int, tile_px: int, stride_px: int) -> list[int]:
    """Give the first pixels of windows along `length` pixels; the last is moved inwards, so every pixel is covered.

    >>> window_starts(10, 4, 4)
    [0, 4, 6]
    >>> window_starts(3, 4, 4)
    [0]
    """
    return [*range(0, length - tile_px, stride_px), max(length - tile_px, 0)]


def _lay_out(index: Iterable[IndexRow], downsample: int) -> Iterator[Place]:
    offset = 0
    for row in index:
        height, width = downsampled_length(row.height, downsample), downsampled_length(row.width, downsample)
        yield Place(row.name, offset, height, width, row.stratum, row.mpp * downsample if row.mpp else None)
        offset += height * width


def _has_instances(index: Sequence[IndexRow]) -> bool:
    without = [row for row in index if row.instances is None]
    if without and len(without) < len(index):
        raise InputError(
            f"{without[0].image}: has no nucleus ids, as {len(without)} of {len(index)} images in index.csv; expected "
            "them for all images of a dataset or for none; remove the prepared folder and run the workflow again"
        )
    return not without


def _read_sized(
    row: IndexRow,
) -> tuple[
    UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width"], Int32[np.ndarray, "height width"] | None
]:
    image, mask = read_image(row.image), read_mask(row.mask)
    nuclei = read_instances(row.instances) if row.instances else None
    for path, pixels in ((row.image, image), (row.mask, mask), (row.instances, nuclei)):
        if pixels is not None and pixels.shape[:2] != (row.height, row.width):
            raise InputError(
                f"{path}: is {pixels.shape[0]} x {pixels.shape[1]} px; expected {row.height} x {row.width} as in "
                "index.csv; remove the prepared folder and run the workflow again"
            )
    return image, mask, nuclei
