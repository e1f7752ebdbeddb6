"""Calculate how long each study takes on one GPU and on two cores like these, and write benchmarks/expected_time.md.

    python benchmarks/expected_time.py --table benchmarks/expected_time.md

No GPU is used and no study is run. What is measured are tiles of each network on one core, alone on the machine at
best. A person's text under "Reading" in the table is kept.
"""

import argparse
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from expected_time_steps import (
    LAUNCH,
    MEASURED_TILES,
    SHARE,
    Card,
    Steps,
    Training,
    forward_kernels,
    measured_augmentation,
    resnet50_kernels,
    seconds_on,
    training_kernels,
)
from expected_time_work import IMAGES, Work, work_of
from real_samples import processor, reading

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.memory import keep_freed_memory
from histoloom.study.merging import read_config
from histoloom.study.sections import section
from histoloom.study.stages.train import Train
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.settings import TrainSettings

STUDIES = {name: [name] for name in ("necrosis", "hnscc", "brecahad", "cryonuseg", "pannuke")}
STUDIES["hnscc_gif"] = ["hnscc", "hnscc_gif"]
# Data sheets of NVIDIA: A100 80GB SXM, Tesla V100 SXM2 and T4; dense, tensor cores in 16 bits.
A100, V100, T4 = Card("A100", 312e12, 2039e9), Card("V100", 125e12, 900e9), Card("T4", 65e12, 320e9)
CARDS = (A100, T4)
# Images a second in mixed precision, batches of 256: NVIDIA DeepLearningExamples, resnet50v1.5 for PyTorch, README.
PUBLISHED = ((A100, "training", 2470), (V100, "training", 1200), (V100, "inference", 3382), (T4, "inference", 1198))


@dataclass(frozen=True)
class Expected:
    """Of one dataset and network of a study: its work, operations of a tile, and hours."""

    dataset: str
    architecture: str
    work: Work
    parameters: int
    operations: float
    hours: dict[str, float]
    tiles_per_second: dict[str, float]
    step: float
    forward: float
    augmentation: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    parser.add_argument("--steps", type=int, default=3, help="Steps of each network that are measured.")
    arguments = parser.parse_args()
    keep_freed_memory()
    steps = Steps(arguments.steps)
    found = {study: expected_of(study, steps) for study in STUDIES}
    parts = [
        introduction(steps.steps),
        *study_table(found),
        "",
        *network_table(found),
        "",
        assumptions(),
        *shares_table(),
    ]
    write_text(arguments.table, "\n".join([*parts, "", reading(arguments.table)]))


def expected_of(study: str, steps: Steps) -> list[Expected]:
    """Each dataset and network of a study."""
    files = [ROOT / "config" / "studies" / f"{name}.yaml" for name in STUDIES[study]]
    config = read_config([ROOT / "config" / "config.yaml", *files], {})
    chosen = config["study"]
    pairs = [(data, network) for data in chosen["datasets"] for network in chosen["architectures"]]
    return [expected(config, *pair, steps) for pair in pairs]


def expected(config: dict[str, Any], dataset: str, architecture: str, steps: Steps) -> Expected:
    """One network on one dataset: counted, calculated and, on one core, measured."""
    sections = Train(config).sections(SimpleNamespace(dataset=dataset, architecture=architecture, fold="0"))
    training, images = training_of(sections, IMAGES[dataset].classes), IMAGES[dataset]
    work = work_of(config, dataset, architecture, images)
    predicted = section(config, "predict", dataset, architecture)["batch_size"]
    learnt, shown = training_kernels(training), forward_kernels(training.build, predicted, training.tile_px)
    down = sections["tiles"]["downsample"]
    augmentation = measured_augmentation(training, images.height // down, images.width // down)
    step, forward = steps.of(training)
    batch, workers = training.settings.batch_size, section(config, "train", dataset, architecture)["loader_workers"]
    rates = {card.name: batch / seconds_on(card, learnt) for card in CARDS}
    forwards = work.validated + work.predicted
    hours = {
        card.name: work.trained * max(1 / rates[card.name], augmentation / workers)
        + forwards * seconds_on(card, shown) / predicted
        for card in CARDS
    }
    hours["2 cores"] = (work.trained * (step + augmentation) + forwards * forward) / 2
    return Expected(
        dataset=dataset,
        architecture=architecture,
        work=work,
        parameters=sum(each.numel() for each in training.build().parameters()),
        operations=sum(each.operations for each in learnt) / batch,
        hours={name: seconds / 3600 for name, seconds in hours.items()},
        tiles_per_second=rates | {"loader": workers / augmentation},
        step=step,
        forward=forward,
        augmentation=augmentation,
    )


def training_of(sections: dict[str, dict[str, Any]], classes: int) -> Training:
    """What Train tells a training, as the training's own settings."""
    network = sections["architecture"]
    settings = TrainSettings(**sections["train"], **sections["study"])
    augmentation, tile_px = Augmentation(**sections["augment"]), sections["tiles"]["tile_px"]
    return Training(network["network"], network["option"], settings, augmentation, tile_px, classes)


def introduction(steps: int) -> str:
    """What was done, where, and that it is no measurement."""
    command = f"python benchmarks/expected_time.py --steps {steps} --table benchmarks/expected_time.md"
    machine = f"{os.cpu_count()} cores, {processor()}, no GPU, Python {platform.python_version()}"
    return f"""# Expected time of the studies

`{command}` on {machine},
torch {torch.__version__.partition("+")[0]}. **Calculated, not measured**: no study was run whole, and no GPU was used.
Measured are the seconds of a few tiles of each network on one core. Times are those of training and prediction alone,
for the whole study with all its folds; they have two digits at most, and those of GPUs may be wrong by a factor of two.
"""


def study_table(found: dict[str, list[Expected]]) -> list[str]:
    """A row a study: the sums over its networks."""
    lines = ["| study | images | trainings | tiles learnt from | one A100 | one T4 | 2 cores |", "|---" * 7 + "|"]
    for study, rows in found.items():
        trainings = sum(row.work.trainings for row in rows)
        trained = rounded(sum(row.work.trained for row in rows))
        times = [duration(sum(row.hours[name] for row in rows)) for name in rows[0].hours]
        lines.append(f"| {' | '.join([study, IMAGES[rows[0].dataset].source, str(trainings), trained, *times])} |")
    return lines


def network_table(found: dict[str, list[Expected]]) -> list[str]:
    """A row a network: what it costs for each tile, and in all."""
    columns = (
        *("dataset", "network", "million parameters", "trainings", "tiles a training", "GFLOP a tile"),
        *("A100, tiles/s", "T4, tiles/s", "loader, tiles/s", "one core, s a tile: step", "forward"),
        *("one A100", "one T4", "2 cores"),
    )
    rows = [row for study in found.values() for row in study]
    return ["## By network", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *map(network_row, rows)]


def network_row(row: Expected) -> str:
    """Its line of the table."""
    rates, work = row.tiles_per_second, row.work
    numbers = (row.operations / 1e9, rates["A100"], rates["T4"], rates["loader"], row.step, row.forward)
    head = (row.dataset, row.architecture, rounded(row.parameters / 1e6), str(work.trainings))
    cells = (*head, rounded(work.trained / work.trainings), *map(rounded, numbers), *map(duration, row.hours.values()))
    return f"| {' | '.join(cells)} |"


def assumptions() -> str:
    """What the figures rest on."""
    reached = f"{SHARE:.0%} of the peaks of the card's data sheet, and {LAUNCH * 1e6:.0f} µs at least"
    return f"""## What is assumed

- Work is counted from the config: windows of all images by the project's own tiling, parts of the folds, repeats,
  epochs, trials, rounds and their parts, validation after each epoch, and tiles that are predicted. It is the most that
  there can be: no training, trial or round ends early, and all images are annotated all over. Times are in proportion
  to the number of images.
- A tile is a training tile with its augmentation, forward and backward. GFLOP: a multiplication and an addition are
  two; only matrix products and convolutions have any.
- One GPU, one job at a time: the operations of a batch one after the other (forward, loss, backward), each as long as
  the slower of computing and of moving its bytes at {reached}.
  Optimiser and copies to the GPU are not in it. The loader has train.loader_workers cores like these; the slower of
  both counts. Whether a batch fits into the card's memory was not looked at (train.accumulate).
- 2 cores: processor seconds in one thread, measured with {MEASURED_TILES} tiles at once (each network once, in the
  first study that has it), divided by two: as if two jobs of one thread ran side by side without hindering each other.
- Not counted: starts of jobs (7 s each, [training](training.md)), checkpoints, preparing, normalising, post-processing,
  scores and pictures, all of them on CPU cores, and whole slides.
"""


def shares_table() -> list[str]:
    """The method put to what NVIDIA measured: the share of the peaks that ResNet-50 reached."""
    lines = [
        "## The share of the peak",
        "",
        "ResNet-50 at 224 px, batches of 256, calculated at the whole peak, and as",
    ]
    lines[-1] += " published by NVIDIA (DeepLearningExamples, resnet50v1.5 for PyTorch, mixed precision, one GPU)."
    lines += ["", "| card | what | images/s at the peak | published | share |", "|---|---|---|---|---|"]
    for card, what, published in PUBLISHED:
        peak = 256 / seconds_on(card, resnet50_kernels(256, is_training=what == "training"), share=1.0)
        lines.append(f"| {card.name} | {what} | {peak:.0f} | {published} | {published / peak:.2f} |")
    return lines


def rounded(value: float) -> str:
    """Two significant digits.

    >>> rounded(0.0312), rounded(4.96), rounded(1234567)
    ('0.031', '5', '1,200,000')
    """
    return f"{float(f'{value:.2g}'):,.10g}"


def duration(hours: float) -> str:
    """A time in the unit that suits it; below ten minutes what is not counted takes longer than what is.

    >>> duration(0.01), duration(0.5), duration(5.62), duration(390)
    ('under 10 min', '30 min', '5.6 h', '16 days')
    """
    if hours < 1 / 6:
        return "under 10 min"
    if hours < 1:
        return f"{rounded(60 * hours)} min"
    return f"{rounded(hours)} h" if hours < 48 else f"{rounded(hours / 24)} days"


if __name__ == "__main__":
    run(main)
