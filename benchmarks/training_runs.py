"""How benchmarks/training.py runs ours and its peers: each in a process of its own, so that none warms up another."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from training_data import ROOT, training_flags

sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.networks import resolve_precision
from histoloom.prepared import read_table

WARM_UP = 2  # steps that are not counted, while memory and kernels are set up


def ours_rate(folder: Path, network: str, batch: int, arguments: argparse.Namespace) -> float:
    """Samples a second of scripts/train.py within an epoch, the wait for its loader included."""
    clock = watched(folder, network, {"batch_size": batch, "repeats": 4}, arguments, steps=steps_of(arguments))
    return rate(clock["ends"], batch)


def plain_rate(folder: Path, network: str, batch: int, arguments: argparse.Namespace) -> float:
    """Samples a second of the plain loop."""
    steps = ["--steps", str(steps_of(arguments))]
    workers = ["--workers", str(arguments.workers), "--inputs", str(folder)]
    return rate(peer("plain", network, batch, arguments, *steps, *workers), batch)


def resident_rate(network: str, batch: int, variant: str, arguments: argparse.Namespace) -> float:
    """Samples a second of the bare network on tensors that are there already."""
    return float(batch / np.median(resident(network, batch, [variant], arguments)[variant]))


def launched_rate(folder: Path, processes: int, epochs: int) -> float:
    """Images a second of the last epoch of a training by the launcher."""
    out = folder / "ddp"
    flags = training_flags(folder, "unet_small", {"epochs": epochs}, threads=1, workers=1, out=out)
    launcher = [str(ROOT / "scripts" / "launch_training.py"), "--processes", str(processes)]
    ended([sys.executable, *launcher, str(ROOT / "scripts" / "train.py"), *flags])
    return float(read_table(out / "history")[-1]["images_per_second"])


def watched(
    folder: Path,
    network: str,
    values: Mapping[str, Any],
    arguments: argparse.Namespace,
    *,
    steps: int = 0,
    with_launcher: bool = False,
) -> Mapping[str, Any]:
    """The clock of a training by scripts/train.py, ended after `steps` steps if there are some."""
    clock = folder / "clock.json"
    workers = arguments.workers
    flags = training_flags(folder, network, values, threads=arguments.threads, workers=workers, out=folder / "ours")
    launcher = [str(ROOT / "scripts" / "launch_training.py"), "--processes", "1"] if with_launcher else []
    script = [str(Path(__file__).with_name("training_watched.py")), str(clock), str(steps)]
    ended([sys.executable, *launcher, *script, *flags])
    return json.loads(clock.read_text(encoding="utf-8"))


def resident(
    network: str, batch: int, variants: Sequence[str], arguments: argparse.Namespace
) -> Mapping[str, list[float]]:
    """Seconds of each step on resident tensors."""
    return peer("resident", network, batch, arguments, "--steps", str(arguments.steps), "--variants", *variants)


def peer(loop: str, network: str, batch: int, arguments: argparse.Namespace, *words: str) -> Any:
    """What training_peers.py prints."""
    script = [sys.executable, str(Path(__file__).with_name("training_peers.py")), loop]
    what = ["--network", network, "--batch-size", str(batch), "--threads", str(arguments.threads)]
    return json.loads(ended([*script, *what, *words]).splitlines()[-1])


def ended(command: Sequence[str]) -> str:
    """What a command that ended well printed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[:3]}: ended with {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout


def rate(ends: Sequence[float], batch: int) -> float:
    """Samples a second between the end of the warm-up and the last step."""
    counted = ends[WARM_UP - 1 :]
    return batch * (len(counted) - 1) / (counted[-1] - counted[0])


def steps_of(arguments: argparse.Namespace) -> int:
    """Steps of a run."""
    return WARM_UP + arguments.steps


def precision() -> str:
    """The number type that train.precision: auto chooses here."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return str(resolve_precision("auto", device)).removeprefix("torch.")


def spread(values: Iterable[float]) -> str:
    """Median, least and most."""
    values = list(values)
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def verdict(is_met: bool) -> str:
    """Of a goal."""
    return "met" if is_met else "missed"
