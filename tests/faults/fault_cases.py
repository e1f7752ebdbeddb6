"""What faults are tried on: a tiny piece of work of each stage, how it is started, and what it leaves when done."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from histoloom.evaluate.counting.stored_counts import write_counts
from histoloom.files import sha256, write_table
from histoloom.formats.images import write_image
from histoloom.networks import build_network, save_model
from histoloom.prepared import INDEX_COLUMNS
from tests.evaluate.tables.made_counts import made_counts
from tests.faults.forked_runs import ROOT
from tests.slides.slide_case import SlideCase
from tests.train.training_case import TrainingCase, make_case

UNTIMED = ("cost.json",)  # files that tell how long it took, and so differ
HISTORY_TIMES = ("seconds", "images_per_second")
EPOCHS = 2  # of the histories that are made
DESCRIPTION = {
    "name": "made", "reader": "none", "classes": ["background", "disc"], "has_instances": False,
    "licence": "none", "citation": "none", "facts": {}, "warnings": [],
}  # fmt: skip


@dataclass
class Work:
    """A script with its flags, whose outputs all lie in `folder`/out."""

    folder: Path
    words: list
    environment: dict = field(default_factory=dict)
    training: TrainingCase | None = None

    @property
    def out(self) -> Path:
        """Where the declared outputs lie."""
        return self.training.folder / "out" if self.training else self.folder / "out"

    def result(self) -> dict[str, str]:
        """Hash of each output by its place; of a history without the seconds it took. Parts are no outputs."""
        found = {}
        for path in sorted(self.out.rglob("*")):
            place = str(path.relative_to(self.out))
            if path.is_file() and path.name not in UNTIMED and ".part-" not in place:
                found[place] = _untimed(path) if path.name == "history.csv" else sha256(path)
        return found

    def is_partial(self, reference: dict[str, str]) -> bool:
        """Whether there is an output that is not as it should be in the end; one that is missing is no such."""
        return not self.result().items() <= reference.items()

    def litter(self) -> list[str]:
        """Parts of files and leases that nobody holds any more, anywhere."""
        return [
            str(path) for path in self.folder.rglob("*") if path.name.startswith(".part") or path.suffix == ".lease"
        ]


def _untimed(path: Path) -> str:
    columns = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    return str([columns[name].tolist() for name in columns.dtype.names if name not in HISTORY_TIMES])


class TrainingCaseInOut(TrainingCase):
    """A training whose outputs lie in a folder of their own."""

    @property
    def outputs(self) -> dict[str, Path]:
        """Model, history and epochs."""
        return {name: self.folder / "out" / path.name for name, path in super().outputs.items()}


def training(folder: Path, **options) -> Work:
    """12 steps, with a checkpoint after each."""
    made = make_case(folder)
    case = TrainingCaseInOut(made.folder, **options)
    return Work(folder, case.command()[1:], training=case)


def image_prediction(folder: Path, count: int = 4, side: int = 90, width: int = 2, **flags) -> Work:
    """Some images of `side` pixels by a small U-Net."""
    rng, rows = np.random.default_rng(0), []
    for number in range(count):
        name = f"image{number}"
        write_image(folder / "in" / f"{name}.png", rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        place = {"name": name, "image": f"{name}.png", "mask": f"{name}.png", "height": side, "width": side}
        rows.append(dict.fromkeys(INDEX_COLUMNS, "") | place)
    write_table(folder / "in" / "index.csv", INDEX_COLUMNS, rows)
    folds = [(0, "test", row["name"], "") for row in rows]
    write_table(folder / "in" / "folds.csv", ("fold", "part", "name", "group"), folds)
    torch.manual_seed(0)
    card = {
        "network": "unet", "options": {"width": width}, "classes": ["background", "disc"], "tile_px": 32,
        "downsample": 1, "has_maps": True,
    }  # fmt: skip
    save_model(folder / "in" / "model.safetensors", build_network("unet", {"width": width}, 4).state_dict(), card)
    values = {
        "model": folder / "in" / "model.safetensors", "index": folder / "in" / "index.csv",
        "folds": folder / "in" / "folds.csv", "fold": 0, "part": "test", "overlap": 4, "window": "gaussian",
        "batch-size": 8, "precision": "float32", "probabilities": folder / "out" / "probabilities",
        "maps": folder / "out" / "maps", "cost": folder / "out" / "cost.json", **flags,
    }  # fmt: skip
    return Work(folder, _words("predict_images.py", values))


def preparation(folder: Path, **flags) -> Work:
    """Eight images of 96 px with masks."""
    rng = np.random.default_rng(0)
    for number in range(8):
        image = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        write_image(folder / "in" / "images" / f"case{number}.png", image)
        write_image(folder / "in" / "masks" / f"case{number}.png", (image[..., 0] > 200).astype(np.uint8) * 255)
    out = folder / "out"
    values = {
        "name": "made", "reader": "folder", "root": folder / "in", "on-bad-image": "stop", "images": out / "images",
        "masks": out / "masks", "instances": out / "instances", "second-instances": out / "second",
        "index": out / "index.csv", "skipped": out / "skipped.csv", "dataset": out / "dataset.json", **flags,
    }  # fmt: skip
    return Work(folder, _words("prepare_dataset.py", values))


def animation(folder: Path, **flags) -> Work:
    """Two epochs of a probe."""
    rng = np.random.default_rng(0)
    frames = folder / "in" / "epochs"
    write_image(frames / "image.png", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    for name in ("truth", *(f"epoch_{epoch:03d}" for epoch in range(1, EPOCHS + 1))):
        write_image(frames / f"{name}.png", rng.integers(0, 2, (32, 32), dtype=np.uint8))
    _write_history(folder / "in" / "history.csv")
    (folder / "in" / "dataset.json").write_text(json.dumps(DESCRIPTION))
    values = {
        "frames": frames, "history": folder / "in" / "history.csv", "dataset": folder / "in" / "dataset.json",
        "frames-per-second": 4, "hold-seconds": 1, "gif": folder / "out" / "epochs.gif",
        **flags,
    }  # fmt: skip
    return Work(folder, _words("render_epochs.py", values))


def summary(folder: Path, **flags) -> Work:
    """The tables of three models on sixteen images."""
    rng, files = np.random.default_rng(0), []
    for name in ("unet", "tiny", "otsu"):
        files.append(folder / "in" / name / "counts.npz")
        groups = [f"case{number // 2}" for number in range(16)]
        write_counts(files[-1], made_counts(rng.random(16).round(3).tolist(), groups, name))
    (folder / "in" / "dataset.json").write_text(json.dumps(DESCRIPTION))
    tables = ("scores", "summary", "comparison", "ranking", "strata", "sizes", "fold-spread", "costs")
    values = {
        "dataset": folder / "in" / "dataset.json", "baseline": "otsu", "bootstrap": 200, "seed": 0,
        **{table: folder / "out" / f"{table}.csv" for table in tables}, **flags,
    }  # fmt: skip
    lists = ["--counts", *files, "--metric", "dice", "recall"]
    return Work(folder, [*_words("summarise_scores.py", values), *lists])


def figure(folder: Path, **flags) -> Work:
    """The learning curves of two folds."""
    files = [folder / "in" / "unet" / f"fold{fold}" / "history.csv" for fold in (0, 1)]
    for file in files:
        _write_history(file)
    values = {"figure": folder / "out" / "curves.png", **flags}
    return Work(folder, [*_words("draw_curves.py", values), "--history", *files])


def slide_prediction(folder: Path, **flags) -> Work:
    """A slide of five bands."""
    folder.mkdir(parents=True, exist_ok=True)
    out = {"probabilities": folder / "out" / "probabilities", "maps": folder / "out" / "maps"}
    case = SlideCase(folder, 2100, 90, flags={"overlap": 1, **out, **flags}).write()
    return Work(folder, case.words())


STAGES: dict[str, Callable[..., Work]] = {
    "predict_images": image_prediction,
    "prepare_dataset": preparation,
    "render_epochs": animation,
    "summarise_scores": summary,
    "draw_curves": figure,
    "predict_slide": slide_prediction,
}


def _words(script: str, values: dict) -> list:
    return [str(ROOT / "scripts" / script), *(word for flag, value in values.items() for word in (f"--{flag}", value))]


def _write_history(path: Path) -> None:
    columns = ("epoch", "learning_rate", "train_loss", "val_loss", "val_score", "best", "seconds", "images_per_second")
    rows = [(epoch, 0.01, 1 / epoch, 1 / epoch, epoch / 9, 1, 1.0, 10.0) for epoch in range(1, EPOCHS + 1)]
    write_table(
        path, (*columns, "skipped_steps", "ended"), [(*row, 0, "finished" * (row[0] == EPOCHS)) for row in rows]
    )
