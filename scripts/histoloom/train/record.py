"""What a training leaves behind: its identity, the card of its model, and the outputs that the workflow declares."""

import argparse
import importlib.util
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from histoloom.errors import InputError
from histoloom.files import atomic_folder, digest_of, sha256, write_table
from histoloom.networks import read_model, save_model
from histoloom.prepared import read_description
from histoloom.targets import Outputs
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.distributed import Ranks
from histoloom.train.history import HISTORY, Progress
from histoloom.train.settings import TrainSettings

BEST = "best.safetensors"
INPUTS = ("images", "masks", "instances", "image_table", "windows", "folds")


def fingerprint(
    arguments: argparse.Namespace,
    settings: TrainSettings,
    augmentation: Augmentation,
    ranks: Ranks,
    dtype: torch.dtype,
) -> str:
    """What the result depends on, and nothing else: settings, code, inputs, processes and threads, number type."""
    files = [*(getattr(arguments, name) for name in INPUTS), *arguments.colours, *arguments.weights]
    facts = {
        **asdict(settings),
        **asdict(augmentation),
        **{name: getattr(arguments, name) for name in ("network", "fold", "tile_px", "downsample", "code")},
        "options": dict(arguments.option),
        "classes": read_description(arguments.dataset).classes,  # and not its licence or notes
        "inputs": [sha256(path) for path in files],
        "foreign": _foreign_code(arguments, settings),
        "processes": ranks.world,
        "threads": arguments.threads_per_process,  # they add up in another order, so another number rounds otherwise
        "device": ranks.device.type,
        "dtype": str(dtype),
    }
    return digest_of(json.dumps(facts, sort_keys=True).encode())[:16]


def _foreign_code(arguments: argparse.Namespace, settings: TrainSettings) -> list[str]:
    """Digests of the files of a network and an optimiser that are named by their import path, one each.

    What those files import in turn is not looked at.
    """
    named = [settings.optimiser, str(dict(arguments.option).get("path", ""))]
    files = [_file_of(path.rpartition(".")[0]) for path in named if "." in path]
    return [sha256(file) for file in files if file]


def _file_of(module: str) -> Path | None:
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # told with its cure where it is imported
        return None
    return Path(found.origin) if found and found.origin else None


def card(
    arguments: argparse.Namespace,
    settings: TrainSettings,
    augmentation: Augmentation,
    outputs: Outputs,
    mpp: float | None,
    row: dict[str, Any],
) -> dict[str, Any]:
    """What a user of the weights has to know; `mpp` is the µm of a working pixel, None where nobody stated it."""
    return {
        "network": arguments.network,
        "options": dict(arguments.option),
        "classes": list(outputs.classes),
        "has_maps": outputs.has_maps,
        "tile_px": arguments.tile_px,
        "downsample": arguments.downsample,
        "mpp": mpp,
        "colours": colours_of(arguments),
        "fold": arguments.fold,
        "epoch": row["epoch"],
        "score": row["val_score"],
        "settings": asdict(settings),
        "augmentation": asdict(augmentation),
    }


def colours_of(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Mean and standard deviation of each channel over the training images, where the input is standardised."""
    if (arguments.standardise == "fold") != bool(arguments.colours):
        raise InputError(
            f"--standardise {arguments.standardise}: with {len(arguments.colours)} files of --colours; expected "
            "one with 'fold' and none with 'none'; give scripts/measure_colours.py's JSON"
        )
    return json.loads(arguments.colours[0].read_text(encoding="utf-8")) if arguments.colours else None


def line(row: dict[str, Any], settings: TrainSettings) -> str:
    """One epoch in one line of the log."""
    notes = [" *" if row["best"] else ""]
    if row["skipped_steps"]:
        notes.append(f", {row['skipped_steps']} steps left out, their loss or gradient was no number")
    return (
        f"epoch {row['epoch']}/{settings.epochs}: train loss {row['train_loss']:.4f}, val loss {row['val_loss']:.4f}, "
        f"val {settings.select_metric} {row['val_score']:.4f}, {row['images_per_second']:.1f} images/s{''.join(notes)}"
    )


def publish(state: Path, arguments: argparse.Namespace, progress: Progress) -> None:
    """Write the declared outputs from the state folder, which stays until it is removed by hand.

    Raises InputError, before anything is written, when the best weights are missing or damaged.
    """
    best = _best(state)
    write_table(arguments.history, HISTORY, progress.history)
    with atomic_folder(arguments.epochs_folder) as folder:
        shutil.copytree(state / "epochs", folder, dirs_exist_ok=True)
    save_model(arguments.model, best["state"], best["card"])


def _best(state: Path) -> dict[str, Any]:
    try:
        return read_model(state / BEST)
    except InputError as error:
        raise InputError(
            f"{state / BEST}: missing or damaged though the training is over; expected its best weights;\n"
            f"remove the folder {state} to train afresh"
        ) from error
