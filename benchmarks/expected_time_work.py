"""How much a study computes, by its config and the number of its images: tiles to learn from, and to predict."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.errors import InputError
from histoloom.predict.engine.sweep_plan import Layout
from histoloom.split.downsample import downsampled_length
from histoloom.split.tile_layout import window_starts
from histoloom.study.sections import fold_count, section

SECTIONS = ("split", "tiles", "train", "tune", "rounds", "predict", "regions")
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Images:
    """The images of a dataset: their number, native size, classes with the background, and where these are from."""

    count: int
    height: int
    width: int
    classes: int
    source: str


@dataclass(frozen=True)
class Work:
    """Of one dataset and architecture: trainings, and the tiles of all of them.

    `trained` go forward and backward, `validated` (after each epoch) and `predicted` forward alone.
    """

    trainings: int
    trained: float
    validated: float
    predicted: float


BRECAHAD = Images(162, 1024, 1360, 2, "162 images of 1360 x 1024 px, published")
IMAGES = {
    "necrosis": Images(151, 4000, 4000, 2, "ASSUMED: 151 regions, as many as BCSS has, of 4000 x 4000 px (1 mm²)"),
    "hnscc": Images(200, 1024, 1024, 4, "ASSUMED: 20 slides with 10 regions each of 1024 x 1024 working px"),
    "hnscc_gif": Images(20, 1024, 1024, 4, "ASSUMED: 2 slides with 10 regions each of 1024 x 1024 working px"),
    "brecahad": BRECAHAD,
    "brecahad_image_wise": BRECAHAD,
    "cryonuseg": Images(30, 512, 512, 2, "30 tiles of 512 x 512 px, published"),
    "pannuke": Images(7901, 256, 256, 6, "7,901 patches of 256 x 256 px, published"),
}


def work_of(config: Values, dataset: str, architecture: str, images: Images) -> Work:
    """What a study computes of `images`: at most, as if no training, trial or round ended early.

    All images are annotated all over, which is the most that rounds of semi-ground truth can come to.
    """
    values = {name: section(config, name, dataset, architecture) for name in SECTIONS}
    shares, tiles, train = part_shares(values["split"]), values["tiles"], values["train"]
    size = [downsampled_length(length, tiles["downsample"]) for length in (images.height, images.width)]
    windows = images.count * shares["train"] * windows_of(size, tiles["tile_px"], tiles["stride_px"])
    held_out = images.count * shares["val"] * windows_of(size, tiles["tile_px"], tiles["tile_px"])
    trainings = trainings_of(values)
    return Work(
        trainings=sum(number for number, _, _ in trainings),
        trained=windows * train["repeats"] * sum(number * share * epochs for number, share, epochs in trainings),
        validated=held_out * sum(number * epochs for number, _, epochs in trainings),
        predicted=images.count * predictions_of(values, shares, size),
    )


def part_shares(split: Values) -> dict[str, float]:
    """Share of the images in each part of a fold, on average."""
    if split["scheme"] == "official":
        return {"train": 1 / 3, "val": 1 / 3, "test": 1 / 3}
    if split["scheme"] == "list":
        raise InputError("split.scheme: list; expected a scheme that says how large parts are; choose another study")
    is_drawn = split["scheme"] == "proportions"
    test = split["test_fraction"] if is_drawn else 1 / split["fold_count"]
    val = split["validation_fraction"] if is_drawn else test  # the next fold's test groups
    if not is_drawn and split["validation"] == "images":
        val = split["validation_fraction"] * (1 - test)
    return {"train": 1 - val - test, "val": val, "test": test}


def windows_of(size: list[int], tile_px: int, stride_px: int) -> int:
    """Windows of an image of (height, width) working pixels."""
    rows, columns = (len(window_starts(length, tile_px, stride_px)) for length in size)
    return rows * columns


def trainings_of(values: Mapping[str, Values]) -> list[tuple[int, float, int]]:
    """Trainings of all folds by kind: how many, the share of the training part that they learn from, and their epochs.

    A round has its main model; before each but the first, the models of the parts are trained, each without its own.
    """
    folds, epochs = fold_count(values["split"]), values["train"]["epochs"]
    rounds, tune = values["rounds"], values["tune"]
    count, parts = rounds["count"], rounds["parts"]
    sought = folds if tune["folds"] == "each" else 1
    return [
        (folds * (1 + count), 1.0, epochs),
        (folds * count * parts * rounds["draws"], 1 - 1 / parts, epochs),
        (sought * tune["trials"], 1.0, tune["epochs"] or epochs),
    ]


def predictions_of(values: Mapping[str, Values], shares: Mapping[str, float], size: list[int]) -> float:
    """Tiles that all folds predict for each image of the dataset; whole slides are not among them."""
    predict, regions, rounds = (values[name] for name in ("predict", "regions", "rounds"))
    overlap = predict["overlap"]
    compared = {overlap, *regions["tried_overlaps"]} if regions["tried"] or regions["tried_overlaps"] else set()
    compared |= {overlap} if predict["tune"] else set()
    tile_px = predict["window_px"] or values["tiles"]["tile_px"]

    def tiles(each: int) -> int:
        layout = Layout(*size, tile_px, each, predict["batch_size"] or 1)
        return layout.rows * layout.columns * (8 if predict["tta"] else 1)

    of_rounds = rounds["count"] * rounds["draws"] * shares["train"] * tiles(overlap)
    of_parts = shares["test"] * tiles(overlap) + shares["val"] * sum(map(tiles, compared))
    return fold_count(values["split"]) * (of_parts + of_rounds)
