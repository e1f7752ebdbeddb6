"""A training small enough to be run many times: six images of bright discs, three groups, a tiny U-Net."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SIZE = 48
SETTINGS = {
    "seed": 3, "epochs": 3, "patience": 0, "repeats": 1, "sampling": "even", "batch-size": 2, "accumulate": 1,
    "optimiser": "adam", "learning-rate": 0.01, "weight-decay": 0.0, "schedule": "cosine",
    "loss": "bce + 0.5*cross_entropy", "class-weights": "none", "label-smoothing": 0.0, "auxiliary-weight": 0.5,
    "clip-norm": 0.0, "on-divergence": "stop", "freeze-encoder-epochs": 0, "ema-decay": 0.9, "select-metric": "dice",
    "select-class": "foreground", "standardise": "none", "precision": "float32", "compile": "false", "probe-tiles": 2,
}  # fmt: skip
AUGMENTATION = {
    "flip": "true", "right-angle": "true",
    "rotation-deg": 30, "scale": 0.2, "shear-deg": 5, "shift-px": 4, "elastic-px": 2, "elastic-grid-px": 16,
    "gaussian-px": 3, "gaussian-width-px": 8, "barrel": 0.1,
    "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue-deg": 5,
    "stain": 0.1, "blur-px": 0.5, "noise": 3, "jpeg": 80,
}  # fmt: skip


@dataclass
class TrainingCase:
    """Inputs on disk, and how to train on them."""

    folder: Path
    settings: dict = field(default_factory=dict)
    processes: int = 1
    loader_workers: int = 1
    checkpoint_minutes: float = 0.0  # after every step
    code: str = "code"
    local_scratch: bool = False

    @property
    def outputs(self) -> dict[str, Path]:
        return {
            "model": self.folder / "model.safetensors",
            "history": self.folder / "history.csv",
            "epochs": self.folder / "epochs",
        }

    def flags(self) -> list[str]:
        inputs = self.folder / "inputs"
        values = {
            "images": inputs / "images.npy", "masks": inputs / "masks.npy",
            "instances": inputs / "instances.npy", "image-table": inputs / "images.csv",
            "windows": inputs / "windows.csv", "folds": inputs / "folds.csv", "dataset": inputs / "dataset.json",
            "fold": 0, "tile-px": 32, "downsample": 1, "network": "unet", "option": "width=2", "code": self.code,
            "state": self.folder / "state", "model": self.outputs["model"], "history": self.outputs["history"],
            "epochs-folder": self.outputs["epochs"], "checkpoint-minutes": self.checkpoint_minutes,
            "loader-workers": self.loader_workers, "threads-per-process": 1,
            "local-scratch": str(self.local_scratch).lower(), **SETTINGS, **AUGMENTATION,
            **self.settings,
        }  # fmt: skip
        return [word for key, value in values.items() for word in (f"--{key}", str(value))]

    def command(self) -> list[str]:
        # One process needs no agent, and saves half of the start-up; the workflow's tests go through the launcher.
        launcher = ["scripts/launch_training.py", "--processes", str(self.processes)] if self.processes > 1 else []
        return [sys.executable, *launcher, "tests/faults/tiny_training.py", *self.flags()]

    def train(self, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(),
            cwd=ROOT,
            env=environment_with(**environment),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def train_until_killed(self, step: int, whom: str = "self", rank: int = 0) -> subprocess.CompletedProcess:
        return self.train(KILL_AFTER_STEPS=str(step), KILL_WHOM=whom, KILL_RANK=str(rank))

    def result(self) -> dict[str, bytes]:
        """All that training leaves, but for the seconds it took."""
        columns = np.genfromtxt(self.outputs["history"], delimiter=",", names=True)
        untimed = [name for name in columns.dtype.names if name not in ("seconds", "images_per_second")]
        return {
            "model": self.outputs["model"].read_bytes(),
            "history": b"".join(columns[name].tobytes() for name in untimed),
            **{path.name: path.read_bytes() for path in sorted(self.outputs["epochs"].iterdir())},
        }


def environment_with(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "OMP_NUM_THREADS": "1", **extra}


def make_case(folder: Path, **options) -> TrainingCase:
    """Write the inputs of a case into `folder`/inputs."""
    inputs = folder / "inputs"
    inputs.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    masks = [((rows - 24 - 2 * k) ** 2 + (columns - 20 - 3 * k) ** 2 < 100).astype(np.uint8) for k in range(6)]
    images = [(rng.integers(0, 60, (SIZE, SIZE, 3)) + 150 * mask[..., None]).astype(np.uint8) for mask in masks]
    masks[0][:4] = 255
    np.save(inputs / "images.npy", np.concatenate([image.reshape(-1, 3) for image in images]))
    np.save(inputs / "masks.npy", np.concatenate([mask.ravel() for mask in masks]))
    np.save(inputs / "instances.npy", np.concatenate([(mask == 1).ravel().astype(np.int32) for mask in masks]))
    lines = [f"image_{k},{k * SIZE * SIZE},{SIZE},{SIZE},organ_{k % 2}" for k in range(6)]
    (inputs / "images.csv").write_text("\n".join(["name,offset,height,width,stratum", *lines]) + "\n")
    lines = [f"image_{k},{row},{column}" for k in range(6) for row, column in ((0, 0), (16, 16))]
    (inputs / "windows.csv").write_text("\n".join(["name,row,column", *lines]) + "\n")
    parts = ["test", "val", "train", "train", "train", "train"]
    lines = [f"0,{part},image_{k},group_{k}" for k, part in enumerate(parts)]
    (inputs / "folds.csv").write_text("\n".join(["fold,part,name,group", *lines]) + "\n")
    description = {
        "name": "discs", "reader": "none", "classes": ["background", "disc"], "has_instances": True,
        "licence": "none", "citation": "none", "facts": {}, "warnings": [],
    }  # fmt: skip
    (inputs / "dataset.json").write_text(json.dumps(description))
    return TrainingCase(folder, **options)
