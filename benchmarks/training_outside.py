"""The part of benchmarks/training.py that asks what training does besides the network, and how long its start takes."""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from training_runs import spread, verdict, watched

OUTSIDE = {  # parts of training_watched.py, in the words of the table
    "loading": "waiting for the loader",
    "step": "in a step: the objective's value, checks, averaged weights",
    "logging": "progress bar, counting, learning rate",
    "saving": "checkpoints, best weights, pictures of the probe tiles",
}
NETWORK = ("forward", "backward", "optimiser")


def outside_rows(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Where the time of a whole small training goes, and how long it takes until its first step is done."""
    epochs = 3
    values = {"epochs": epochs, "batch_size": 8}
    clocks = [watched(folder, "unet_small", values, arguments) for _ in range(arguments.runs)]
    lines = [
        f"unet_small, batch 8, {epochs} epochs of 96 tiles and 24 validation tiles, {arguments.threads} threads. "
        "Shares are of the time without validation. The loss's own backward counts as the network's.",
        "",
        "| part | share of the time |",
        "|---|---|",
    ]
    shares = [shares_of(clock) for clock in clocks]
    for part, words in (("network", "network: forward, backward, optimiser"), *OUTSIDE.items(), ("rest", "the rest")):
        lines.append(f"| {words} | {100 * np.median([share[part] for share in shares]):.1f} % |")
    outside = np.array([1 - share["network"] for share in shares])
    met = verdict(np.median(outside) <= 0.05)
    lines.append(f"| all but the network | {100 * np.median(outside):.1f} % (goal 5 %: {met}) |")
    lines.append(
        f"| validation, beside these | {100 * np.median([share['validation'] for share in shares]):.1f} % of all |"
    )
    return [*lines, "", *first_step_rows(folder, arguments)]


def shares_of(clock: Mapping[str, Any]) -> dict[str, float]:
    """Share of each part in the time from the first epoch's start to the last checkpoint, validation left out."""
    whole, seconds = clock["finished"] - clock["epoch_began"][0], clock["seconds"]
    training = whole - seconds["validation"]
    shares = {part: seconds[part] / training for part in OUTSIDE}
    shares["network"] = sum(seconds[part] for part in NETWORK) / training
    return shares | {"rest": 1 - sum(shares.values()), "validation": seconds["validation"] / whole}


def first_step_rows(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Seconds from the start of the process to the end of the first step, as the workflow starts it."""
    seconds = []
    for _ in range(arguments.runs):
        began = time.monotonic()
        clock = watched(folder, "unet_small", {"batch_size": 8}, arguments, steps=1, with_launcher=True)
        seconds.append(clock["ends"][0] - began)
    met = verdict(max(seconds) <= 10)
    return [
        f"From the start of launch_training.py to the end of the first step: {spread(seconds)} s (goal 10 s: {met})."
    ]
