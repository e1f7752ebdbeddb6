"""What benchmarks/training.py trains on, a procedural dataset laid out by the project's own scripts, and with what."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from prepare import preparing, script
from prepare_data import write_fields

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.files import write_table
from histoloom.prepared import read_index
from histoloom.split.tiles import TileStore
from histoloom.study.stages.train import Train

TILE_PX = 256
FIELDS = 5  # one for validation; the others have 96 windows
# Of every kind of variation that all peers have, as strong as a study would set it.
STRENGTHS = {
    "flip": True,
    "right_angle": True,
    "rotation_deg": 15.0,
    "scale": 0.2,
    "shear_deg": 5.0,
    "elastic_px": 4.0,
    "elastic_grid_px": 64,
    "brightness": 0.1,
    "contrast": 0.2,
    "saturation": 0.2,
    "hue_deg": 10.0,
}
STAIN = 0.2  # largest change of the amounts of both stains, for peers that have it
# As the recipe of the real samples: what is compared with it is plainer.
RECIPE = {"loss": "cross_entropy + dice", "ema_decay": 0.99, "precision": "auto", "probe_tiles": 3}
ARRAYS = ("images", "masks", "instances")


def write_inputs(folder: Path, fields: int) -> None:
    """Lay out `fields` fields of BreCaHAD's size, the first for validation and the others for training.

    A field of 1024 x 1360 px has 24 windows. Afterwards `folder` holds what the rule `train` has as inputs.
    """
    write_fields(folder / "raw", fields)
    subprocess.run(preparing("brecahad", folder / "raw", folder), check=True, capture_output=True)
    tiles = folder / "tiles"
    words = ["--downsample", "1", "--tile-px", str(TILE_PX), "--stride-px", str(TILE_PX)]
    for flag in ARRAYS:
        words += [f"--{flag}", str(tiles / f"{flag}.npy")]
    words += ["--image-table", str(tiles / "images.csv"), "--windows", str(tiles / "windows.csv")]
    subprocess.run(script("make_tiles", "--index", str(folder / "index"), *words), check=True, capture_output=True)
    names = [row.name for row in read_index(folder / "index")]
    parts = ["val", *["train"] * (fields - 1)]
    rows = [(0, part, name, name) for part, name in zip(parts, names, strict=True)]
    write_table(folder / "folds.csv", ("fold", "part", "name", "group"), rows)


def tile_store(folder: Path) -> TileStore:
    """The pixels that `write_inputs` laid out."""
    paths = (folder / "tiles" / f"{name}.npy" for name in ARRAYS)
    return TileStore.open(*paths, folder / "tiles" / "images.csv")


def training_flags(
    folder: Path, network: str, values: Mapping[str, Any], *, threads: int, workers: int, out: Path
) -> list[str]:
    """Flags of scripts/train.py as the workflow would give them, for the default config with `values` of train set.

    `out` is emptied: training starts from nothing.
    """
    shutil.rmtree(out, ignore_errors=True)
    inputs = {name: folder / "tiles" / f"{name}.npy" for name in ARRAYS}
    inputs |= {"image-table": folder / "tiles" / "images.csv", "windows": folder / "tiles" / "windows.csv"}
    inputs |= {"folds": folder / "folds.csv", "dataset": folder / "dataset"}
    outputs = {name: out / name for name in ("state", "model", "history", "epochs-folder")}
    running = {
        "threads-per-process": threads,
        "loader-workers": workers,
        "checkpoint-minutes": 10,
        "local-scratch": "false",
    }
    own = {"fold": 0, "code": "benchmark", **inputs, **outputs, **running}
    return [*study_flags(network, values), *(word for key, value in own.items() for word in (f"--{key}", str(value)))]


def study_flags(network: str, values: Mapping[str, Any]) -> list[str]:
    """What a study would set for this network, the strengths of augmentation above, and the recipe with `values`."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    config["tiles"]["tile_px"] = TILE_PX
    config["train"] |= RECIPE | dict(values)
    config["augment"] |= STRENGTHS
    config["architectures"][network] = {"network": network, "options": {}}
    return Train(config).flags(SimpleNamespace(dataset="fields", architecture=network, fold="0"))
