"""Measure how fast training goes, each part beside its peers in the same run, and write benchmarks/training.md.

    python benchmarks/training.py --table benchmarks/training.md

Run it alone on the machine. The data are procedural, made in the folder of temporary files (TMPDIR) and removed again:
50 MB. A person's text under "Reading" in the table is kept. albumentations is a peer but no dependency of the project;
without it the table says so. Put it into a folder of its own and name that:

    pip install --target albumentations --no-deps albumentations==2.0.8 albucore==0.0.24 stringzilla simsimd \
        pydantic pydantic_core annotated_types typing_inspection
    python benchmarks/training.py --albumentations albumentations --table benchmarks/training.md
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from real_samples import processor, reading
from training_augmentation import augmentation_rows
from training_data import FIELDS, ROOT, TILE_PX, write_inputs
from training_outside import outside_rows
from training_peers import VARIANTS
from training_runs import (
    WARM_UP,
    launched_rate,
    ours_rate,
    plain_rate,
    precision,
    rate,
    resident,
    resident_rate,
    spread,
    steps_of,
    verdict,
    watched,
)

sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.networks import memory_format

NETWORKS = {"unet_small": (8, 3), "unet": (2, 4)}  # tiles in a batch, and how much faster than the plain loop to be
GPU_NETWORKS = {"unet": 32, "deeplabv3_resnet50": 32, "unet_efficientnet_b0": 32}  # tiles in a batch


def main() -> None:
    arguments = parse()
    lines = introduction(arguments)
    with tempfile.TemporaryDirectory(prefix="histoloom-") as folder:
        write_inputs(Path(folder), FIELDS)
        for name in arguments.only:
            lines += ["", f"## {TITLES[name]}", "", *PARTS[name](Path(folder), arguments)]
            # After each part, so that nothing measured is lost when a later one fails.
            write_text(arguments.table, "\n".join([*lines, "", reading(arguments.table)]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="Parts to measure.")
    parser.add_argument("--runs", type=int, default=3, help="Number of runs of each peer, in turn.")
    parser.add_argument("--steps", type=int, default=10, help="Steps of training that are timed in a run.")
    parser.add_argument("--tiles", type=int, default=200, help="Tiles that are augmented in a run.")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads of training.")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="Loader processes of training.")
    parser.add_argument("--albumentations", type=Path, help="Folder that albumentations is installed in.")
    return parser.parse_args()


def step_rows(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Samples a second of scripts/train.py, of a plain loop, and of forward, backward and Adam alone."""
    variant = best_variant()
    lines = [
        f"Tiles of {TILE_PX} px in {arguments.threads} threads with {arguments.workers} loader processes, "
        f"{arguments.steps} steps after {WARM_UP} a run. Ours: scripts/train.py, all of the first table's variation, "
        f"{precision()} (train.precision: auto), cross_entropy + dice, averaged weights. Plain: float32, NCHW, MONAI's "
        "transforms, the same loss, Adam. Ceiling: forward, cross-entropy, backward and fused Adam on tensors that are "
        f"there already, {variant}.",
        "",
        "| network, batch | ours, samples/s | plain loop | ours / plain | goal | ceiling | ours / ceiling |",
        "|---|---|---|---|---|---|---|",
    ]
    for network, (batch, goal) in NETWORKS.items():
        ours, plain, ceiling = np.array(
            [
                (
                    ours_rate(folder, network, batch, arguments),
                    plain_rate(folder, network, batch, arguments),
                    resident_rate(network, batch, variant, arguments),
                )
                for _ in range(arguments.runs)
            ]
        ).T
        ratio = np.median(ours / plain)
        lines.append(
            f"| {network}, {batch} | {spread(ours)} | {spread(plain)} | {ratio:.2f} | {goal}: {verdict(ratio >= goal)} "
            f"| {spread(ceiling)} | {np.median(ours / ceiling):.2f} |"
        )
    return [*lines, "", *precision_rows(arguments)]


def precision_rows(arguments: argparse.Namespace) -> list[str]:
    """Milliseconds of a step on resident tensors in every number type and layout, in turn in one process."""
    variants = list(VARIANTS) if shutil.which("c++") else [name for name in VARIANTS if "compiled" not in name]
    capabilities = torch.backends.cpu.get_cpu_capability()
    units = [name for name, is_there in torch.cpu.get_capabilities().items() if is_there is True and "bf16" in name]
    lines = [
        f"Milliseconds of forward, cross-entropy, backward and Adam for one tile; {capabilities}, bf16 units: "
        f"{', '.join(units) or 'none'}. {'' if 'compiled' in variants[-1] else 'No C++ compiler: not compiled.'}",
        "",
        "| network, batch | " + " | ".join(variants) + " |",
        "|---|" + "---|" * len(variants),
    ]
    for network, (batch, _) in NETWORKS.items():
        seconds = resident(network, batch, variants, arguments)
        cells = [f"{1000 * np.median(seconds[variant]) / batch:.0f}" for variant in variants]
        lines.append(f"| {network}, {batch} | {' | '.join(cells)} |")
    return lines


def best_variant() -> str:
    """The number type and layout that training chooses on this machine."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = " channels_last" if memory_format(device) is torch.channels_last else ""
    return f"{precision()}{layout}"


def ddp_rows(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Images a second of 1 and of 2 processes of one thread each, as history.csv states them."""
    if torch.cuda.device_count() == 1:
        return ["Not measured: two processes need two GPUs, or none."]
    epochs = 2
    runs = range(arguments.runs)
    one, two = np.array([[launched_rate(folder, processes, epochs) for processes in (1, 2)] for _ in runs]).T
    return [
        f"unet_small, batch 8 over all processes, gloo, {torch.cuda.device_count()} GPUs; of {epochs} epochs the last, "
        "images_per_second of history.csv.",
        "",
        "| processes, 1 thread each | images/s | times one process |",
        "|---|---|---|",
        f"| 1 | {spread(one)} | 1 |",
        f"| 2 | {spread(two)} | {np.median(two / one):.2f} |",
    ]


def gpu_rows(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Images a second on a GPU, against forward and backward on tensors that are there already."""
    if not torch.cuda.is_available():
        return ["Not measured: this machine has no GPU that torch can use."]
    variant = best_variant()
    lines = [
        f"{torch.cuda.get_device_name()}, {variant}, {arguments.workers} loader processes.",
        "",
        "| network, batch | ours, images/s | resident tensors | ours / resident | goal | GPU memory, MiB |",
        "|---|---|---|---|---|---|",
    ]
    for network, batch in GPU_NETWORKS.items():
        ours, ceiling, memory = [], [], []
        for _ in range(arguments.runs):
            clock = watched(
                folder, network, {"batch_size": batch, "repeats": 100}, arguments, steps=steps_of(arguments)
            )
            ours.append(rate(clock["ends"], batch))
            memory.append(clock["gpu_mib"])
            ceiling.append(resident_rate(network, batch, variant, arguments))
        share = np.median(np.array(ours) / np.array(ceiling))
        lines.append(
            f"| {network}, {batch} | {spread(ours)} | {spread(ceiling)} | {share:.2f} | 0.9: {verdict(share >= 0.9)} "
            f"| {max(memory):.0f} |"
        )
    return lines


def introduction(arguments: argparse.Namespace) -> list[str]:
    """Command and machine."""
    command = " ".join(["python benchmarks/training.py", *sys.argv[1:]])
    return [
        "# Training",
        "",
        f"`{command}` on {os.cpu_count()} cores, {processor()}, Python {platform.python_version()}, torch "
        f"{torch.__version__}; medians of {arguments.runs} runs (least to most), peers in turn with ours; ratios are "
        "medians of the runs' own.",
    ]


TITLES = {
    "augmentation": "Augmentation",
    "steps": "Steps on the CPU",
    "outside": "What is not the network",
    "ddp": "Several processes",
    "gpu": "On a GPU",
}
PARTS = {
    "augmentation": augmentation_rows,
    "steps": step_rows,
    "outside": outside_rows,
    "ddp": ddp_rows,
    "gpu": gpu_rows,
}

if __name__ == "__main__":
    run(main)
