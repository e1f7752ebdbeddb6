"""The part of benchmarks/training.py that times augmentation on one core, ours beside MONAI and albumentations."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from training_data import ROOT, STAIN, STRENGTHS, TILE_PX, tile_store
from training_peers import Transform, albumentations_transforms, monai_transforms

sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.split.tiles import TileStore, Window, read_windows
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.augmentation.tiles import augmented_tile, sample_rng

GOALS = {"MONAI": 20, "albumentations": 7}
AugmentedTile = Callable[[int], object]  # by the number of the sample


def augmentation_rows(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Milliseconds of one tile and mask by every library, a run of each in turn."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    store, windows = tile_store(folder), read_windows(folder / "tiles" / "windows.csv")
    pipelines, note = all_pipelines(store, windows, arguments.albumentations)
    seconds = {name: [] for name in pipelines}
    for run in range(arguments.runs + 1):
        for name, pipeline in pipelines.items():
            took = seconds_of(pipeline, arguments.tiles if run else 10)  # the first run warms up
            seconds[name] += [took] if run else []
    milliseconds = {name: 1000 * np.array(took) for name, took in seconds.items()}
    strengths = ", ".join(f"{name} {value}" for name, value in STRENGTHS.items())
    return [
        f"One tile of {TILE_PX} px and its mask, one thread, {arguments.tiles} tiles a run: {strengths}. Each is done "
        f"to every tile, but for flips and right angles, which are draws. With stain: {STAIN}, and albumentations' "
        "HEStain. Ours cuts its tile from the whole image, the others are given it; ours and albumentations end with "
        f"bytes, MONAI with its float32 tensors. {note}",
        "",
        "| what | processor time, ms | times ours | goal |",
        "|---|---|---|---|",
        *(row(name, milliseconds) for name in milliseconds),
    ]


def row(name: str, milliseconds: dict[str, np.ndarray]) -> str:
    """A line of the table; the ratio is to ours with the same operations."""
    found = milliseconds[name]
    cells = f"| {name} | {np.median(found):.2f} ({found.min():.2f} to {found.max():.2f}) |"
    if name.startswith("ours"):
        return f"{cells} 1 | |"
    ratio = np.median(found / milliseconds["ours, with stain" if name.endswith("with stain") else "ours"])
    goal = GOALS.get(name)
    judged = f"{goal}: {'met' if ratio >= goal else 'missed'}" if goal else "none set"
    return f"{cells} {ratio:.1f} | {judged} |"


def all_pipelines(
    store: TileStore, windows: list[Window], albumentations: Path | None
) -> tuple[dict[str, AugmentedTile], str]:
    """Every pipeline by its name in the table, and why one is missing."""
    plain = replace(Augmentation.none(), **STRENGTHS)
    found = {"ours": ours(store, windows, plain)}
    found |= {
        "MONAI": theirs(store, windows, monai_transforms()),
        "MONAI, affine within its elastic transform": theirs(store, windows, monai_transforms(is_one_warp=True)),
    }
    if albumentations:
        sys.path.append(str(albumentations))  # last, so that it replaces no library of the environment
    try:
        transforms = [albumentations_transforms(), albumentations_transforms(with_stain=True)]
    except ImportError as error:
        return found, f"albumentations is left out: {error}; the script's docstring says how to install it."
    found["albumentations"] = theirs(store, windows, transforms[0])
    found["ours, with stain"] = ours(store, windows, replace(plain, stain=STAIN))
    found["albumentations, with stain"] = theirs(store, windows, transforms[1])
    return found, f"albumentations {sys.modules['albumentations'].__version__}."


def ours(store: TileStore, windows: list[Window], augmentation: Augmentation) -> AugmentedTile:
    """As TrainingTiles calls it."""

    def tile(number: int) -> object:
        window = windows[number % len(windows)]
        image, mask = store.image(window.name), store.mask(window.name)
        rng = sample_rng(0, 1, number)
        return augmented_tile(image, (mask,), window.row, window.column, TILE_PX, augmentation, rng)

    return tile


def theirs(store: TileStore, windows: list[Window], transform: Transform) -> AugmentedTile:
    """The tile as it is, through another library."""
    tiles = list(plain_tiles(store, windows))

    def tile(number: int) -> object:
        return transform(*tiles[number % len(tiles)])

    return tile


def plain_tiles(store: TileStore, windows: list[Window]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Image and mask of each window, as copies in memory."""
    for window in windows:
        place = (slice(window.row, window.row + TILE_PX), slice(window.column, window.column + TILE_PX))
        yield store.image(window.name)[place].copy(), store.mask(window.name)[place].copy()


def seconds_of(pipeline: AugmentedTile, tiles: int) -> float:
    """Processor seconds of one tile: what else runs on the machine does not count."""
    began = time.process_time()
    for number in range(tiles):
        pipeline(number)
    return (time.process_time() - began) / tiles
