"""Runs of the experiment on sparse annotation: strokes, training, rounds and scores, by the workflow's own scripts.

They are called in this process, with the flags that the workflow would give them: a job's start takes seconds here, and
a seed has some thirty jobs.
"""

import copy
import runpy
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from semi_ground_truth_consistency import consistency

from histoloom.evaluate.counting.confusion import confusion_matrix, foreground
from histoloom.files import write_table
from histoloom.flags import flags
from histoloom.formats.images import read_mask, write_image
from histoloom.marks import is_marked
from histoloom.metrics.dice import dice
from histoloom.metrics.iou import iou
from histoloom.predict.probabilities import read_probabilities
from histoloom.prepared import part_rows, read_index, read_table
from histoloom.rounds.acceptance import Rule, distance_to_drawn
from histoloom.rounds.parts import PART_COLUMNS, divided, members_of
from histoloom.rounds.verdict import held_out_score, verdict
from histoloom.sample import IGNORE, PSEUDO
from histoloom.split.folds.members import FOLD_COLUMNS, Member
from histoloom.study.sections import section
from histoloom.study.stages.predict import Predict
from histoloom.study.stages.prepare import Prepare
from histoloom.study.stages.train import Train

SCRIPTS = Path(__file__).parents[1] / "scripts"
ARRAYS = ("images", "masks", "instances")
RUN = {"threads_per_process": 1, "loader_workers": 0, "checkpoint_minutes": 60, "local_scratch": False}


def script(name: str, *words: object) -> None:
    """Run scripts/<name>.py here; one that refuses ends the benchmark with what it said."""
    given, sys.argv = sys.argv, [str(SCRIPTS / f"{name}.py"), *map(str, words)]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = given


@dataclass(frozen=True)
class Case:
    """A dataset laid out under `folder` for one seed: images, masks (drawn or dense), tiles, folds of one fold."""

    folder: Path
    dataset: str
    config: Mapping[str, Any]

    @property
    def wildcards(self) -> SimpleNamespace:
        """What the workflow's functions of wildcards take."""
        return SimpleNamespace(dataset=self.dataset, architecture="unet_small", fold="0")

    @property
    def tables(self) -> list[object]:
        """The flags of images and folds."""
        return ["--index", self.folder / "index.csv", "--dataset", self.folder / "dataset.json"]

    def tiles(self, masks: Path, windows: Path) -> list[object]:
        """The flags of what training reads."""
        arrays = {name: self.folder / f"{name}.npy" for name in ARRAYS} | {"masks": masks}
        table = {"image-table": self.folder / "image_table.csv", "windows": windows}
        return [word for name, path in (arrays | table).items() for word in (f"--{name}", path)]


def laid_out(
    folder: Path, dataset: str, config: Mapping[str, Any], dense: Path, parts: Mapping[str, str], pen: Mapping[str, Any]
) -> Case:
    """Draw strokes with `pen` on training and validation images, none without a share, and lay all out for training."""
    case = Case(folder, dataset, config)
    if (folder / "windows.csv").is_file():
        return case
    write_table(folder / "list.csv", ("name", "part"), parts.items())
    stay = ["test"] if pen["share"] else ["train", "val", "test"]
    drawing = flags({**pen, "share": pen["share"] or 1.0, "seed": config["study"]["seed"]})
    lists = ["--index", dense, "--list", folder / "list.csv", "--dense", *stay, "--root", folder / "raw"]
    script("draw_strokes", *lists, *drawing)
    kinds = ("images", "masks", "instances", "second-instances")
    places = [word for kind in kinds for word in (f"--{kind}", folder / kind)]
    reader = Prepare(config).flags(case.wildcards)
    tables = [*case.tables, "--skipped", folder / "skipped.csv"]
    script("prepare_dataset", "--name", dataset, *reader, "--root", folder / "raw", *places, *tables)
    rows = {row.name: row for row in read_index(folder / "index.csv")}
    # Patches of one slide are of one group: rounds then deal single images to their parts.
    group = {name: "slide" if dataset == "slide" else row.group for name, row in rows.items()}
    members = [Member(0, part, name, group[name]) for name, part in parts.items() if name in rows]
    write_table(folder / "folds.csv", FOLD_COLUMNS, map(astuple, members))
    scale = flags(section(config, "tiles", dataset))
    tiles = case.tiles(folder / "masks.npy", folder / "windows.csv")
    script("make_tiles", "--index", folder / "index.csv", *scale, *tiles)
    return case


@dataclass(frozen=True)
class Trained:
    """A model and what came of it: its score on held-out people's pixels, and the seconds of a core that it took."""

    folder: Path

    @property
    def model(self) -> Path:
        """The best epoch's weights."""
        return self.folder / "model.safetensors"

    @property
    def score(self) -> float:
        """The score that chose the epoch."""
        return held_out_score(read_table(self.folder / "history.csv"), str(self.folder))


def trained(case: Case, folder: Path, tiles: list[object], folds: Path, fold: int, weight: float) -> Trained:
    """Train on a fold of `folds`; `weight` is that of accepted pixels, 0 where there are none."""
    if (folder / "model.safetensors").is_file():
        return Trained(folder)
    words = [*Train(case.config).flags(case.wildcards), *flags(RUN | ({"pseudo_weight": weight} if weight else {}))]
    inputs = [*tiles, "--folds", folds, "--fold", fold, "--dataset", case.folder / "dataset.json"]
    outputs = ["--state", folder / "state", "--model", folder / "model.safetensors"]
    outputs += ["--history", folder / "history.csv", "--epochs-folder", folder / "epochs"]
    script("train", *inputs, *words, "--code", "benchmark", *outputs)
    return Trained(folder)


def predicted(case: Case, of: Trained, folds: Path, fold: int, folder: Path) -> Path:
    """The folder, in `folder`, of probabilities of a fold's test images."""
    words = [*Predict(case.config).flags(case.wildcards), "--folds", folds, "--fold", fold, "--part", "test"]
    outputs = [word for kind in ("probabilities", "maps") for word in (f"--{kind}", folder / kind)]
    inputs = ["--model", of.model, "--index", case.folder / "index.csv"]
    script("predict_images", *inputs, *words, *outputs, "--cost", folder / "cost.json")
    return folder / "probabilities"


def test_scores(case: Case, of: Trained) -> dict[str, list[Any]]:
    """Group, Dice and IoU of the foreground of each test image, against its dense truth; None where undefined."""
    found = predicted(case, of, case.folder / "folds.csv", 0, of.folder)
    rows = part_rows(case.folder / "index.csv", case.folder / "folds.csv", 0, "test")
    scores = {}
    for row in rows:
        classes = read_probabilities(found / f"{row.name}.npy", 2).argmax(axis=2).astype(np.uint8)
        counts = foreground(confusion_matrix(read_mask(row.mask), classes, 2))[None]
        values = [float(metric(counts)[0, 1]) for metric in (dice, iou)]
        scores[row.name] = [row.group, *(None if np.isnan(value) else round(value, 6) for value in values)]
    return scores


def rounds(case: Case, folder: Path, values: Mapping[str, Any], dense: Case) -> Iterator[dict[str, Any]]:
    """Train on people's pixels, then in rounds by the rule `values`, and say what each round came to.

    What round 0 needs lies in the folder of the case: all rules share it.
    """
    histories, told, term = [], {}, values.get("consistency", 0.0)
    masks, windows, weight = case.folder / "masks.npy", case.folder / "windows.csv", values.get("rest", 0.0)
    own = folder if term or weight else case.folder  # where round 0 lies
    if weight:
        masks, windows = rest_as_background(case, folder / "round0")
    members, index = members_of(case.folder / "folds.csv", 0), read_index(case.folder / "index.csv")
    seed, is_seen = case.config["study"]["seed"], values.get("is_seen", False)
    parts = case.folder / ("parts_seen.csv" if is_seen else f"parts_{values['parts']}_{values['draws']}.csv")
    if is_seen:  # all training images are predicted by the model of their round
        dealt = [(0, "test", each.name, each.group, "image") for each in members if each.part == "train"]
    else:
        dealt = divided(members, index, values["parts"], values["draws"], seed, {}, []).rows()
    write_table(parts, PART_COLUMNS, dealt)
    for number in range(values["count"] + 1):
        began, place = time.process_time(), (folder if number else own) / f"round{number}"
        tiles = case.tiles(masks, windows)
        with consistency(term):
            main = trained(case, place, tiles, case.folder / "folds.csv", 0, weight)
        histories.append(main.score)
        scores, seconds = test_scores(case, main), time.process_time() - began
        is_last = not verdict(histories, values["count"], values["patience"]).goes_on
        score = {"round": number, "val": main.score, "is_last": is_last, "seconds": round(seconds, 1)}
        yield told | score | {"scores": scores}
        if is_last:
            return
        maps = []
        for part in range(1 if is_seen else values["parts"] * values["draws"]):
            at = place / f"{parts.stem}_{part}"
            model = main if is_seen else trained(case, at, tiles, parts, part, weight)
            maps.append(predicted(case, model, parts, part, at))
        before = ["--before", folder / f"round{number}" / "masks"] if number else []
        coming = folder / f"round{number + 1}"
        rule = flags({name: values[name] for name in Rule.__dataclass_fields__})
        outputs = ["--masks", coming / "masks", "--drift", coming / "drift.csv"]
        script("accept_pixels", *case.tables, "--parts", parts, "--probabilities", *maps, *before, *rule, *outputs)
        if "reach_px" in values:
            withdraw_far(coming / "masks", values["reach_px"])
        (masks, windows), weight = tiles_of(case, coming), values["weight"]
        told = {"accepted": accepted_right(coming / "masks", dense)}


def withdraw_far(masks: Path, reach_px: Sequence[float]) -> None:
    """Take back what was accepted as a class, but farther than its `reach_px` from what was drawn of it."""
    for path in sorted(masks.glob("*.png")):
        mask = read_mask(path)
        for index, reach in enumerate(reach_px):
            distance = distance_to_drawn(np.where(mask == index, mask, IGNORE).astype(np.uint8))
            mask[(mask == PSEUDO + index) & (distance > reach)] = IGNORE
        write_image(path, mask)


def rest_as_background(case: Case, folder: Path) -> tuple[Path, Path]:
    """Masks and windows of training in which all that nobody drew is accepted as background."""
    images = {row.name: row.mask for row in read_index(case.folder / "index.csv")}
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    for member in members_of(case.folder / "folds.csv", 0):
        if member.part == "train":
            drawn = read_mask(images[member.name])
            write_image(folder / "masks" / f"{member.name}.png", np.where(drawn == IGNORE, np.uint8(PSEUDO), drawn))
    return tiles_of(case, folder)


def tiles_of(case: Case, folder: Path) -> tuple[Path, Path]:
    """Masks and windows as training reads them, of the masks of a round in `folder`."""
    masks, windows = folder / "masks.npy", folder / "windows.csv"
    arrays = ["--drawn", case.folder / "masks.npy", "--round-masks", folder / "masks"]
    scale = flags(section(case.config, "tiles", case.dataset))
    script("make_round_tiles", *case.tiles(masks, windows), *arrays, *scale)
    return masks, windows


def accepted_right(masks: Path, dense: Case) -> list[list[int]]:
    """Of each class the pixels that were accepted as it, how many of them are of it, and how many of it there are."""
    truth = {row.name: row.mask for row in read_index(dense.folder / "index.csv")}
    counts = np.zeros((2, 3), np.int64)
    for path in sorted(masks.glob("*.png")):
        mask, true = read_mask(path), read_mask(truth[path.stem])
        named = np.where(is_marked(mask), mask - PSEUDO, 255)
        for index in range(2):
            counts[index] += [(named == index).sum(), ((named == index) & (true == index)).sum(), (true == index).sum()]
    return counts.tolist()


def with_seed(config: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The config of one seed."""
    return copy.deepcopy(dict(config)) | {"study": {**config["study"], "seed": seed}}
