"""Train one network on one fold: for each epoch train, validate, save.

    python scripts/launch_training.py --processes 2 scripts/train.py --fold 0 --network unet --images ...

Killed at any step and started again with the same flags, it goes on and ends with the same bytes.
"""

import argparse
import json
import shutil
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from histoloom.arguments import pair
from histoloom.errors import InputError, run
from histoloom.files import atomic_folder, digest_of, sha256, write_table
from histoloom.networks import build_network, resolve_precision, save_model
from histoloom.prepared import read_description
from histoloom.split.tiles import TileStore, read_windows
from histoloom.targets import output_count
from histoloom.train.batches import EpochBatches, part_tiles, training_loader, validation_loader
from histoloom.train.checkpoint import Checkpoints, leased
from histoloom.train.distributed import Ranks, from_first, joined, told_once, wait_for_all
from histoloom.train.learner import HISTORY, Learner, Progress
from histoloom.train.probes import probe_tiles, write_epoch, write_probes
from histoloom.train.settings import TrainSettings
from histoloom.train.training import Task, predicted_classes, selection_score, train_one_epoch, validate


def main() -> None:
    arguments = parsed()
    settings = TrainSettings.from_arguments(arguments)
    with joined(arguments.threads_per_process) as ranks, told_once(ranks):
        dtype = resolve_precision(settings.precision, ranks.device)
        identity = from_first(fingerprint(arguments, settings, ranks, dtype) if ranks.is_first else "", ranks)
        state = arguments.state / identity
        with leased(state) if ranks.is_first else nullcontext():
            train(arguments, settings, ranks, dtype, state)
            wait_for_all(ranks)


def train(
    arguments: argparse.Namespace, settings: TrainSettings, ranks: Ranks, dtype: torch.dtype, state: Path
) -> None:
    classes = read_description(arguments.dataset).classes
    store = TileStore.open(arguments.images, arguments.masks, arguments.image_table)
    windows = read_windows(arguments.windows)
    tiles, held_out = part_tiles(store, windows, arguments.folds, arguments.fold, arguments.tile_px, settings)
    probes, probe_masks = probe_tiles(held_out, settings.probe_tiles)
    batches = EpochBatches(len(tiles.windows) * settings.repeats, settings.batch_size, settings.seed, ranks)
    loader = training_loader(tiles, batches, arguments.loader_workers)
    held_out_loader = validation_loader(held_out, ranks.share_of(settings.batch_size), ranks)
    task = Task.of(settings, classes, len(batches), ranks, dtype)

    torch.manual_seed(settings.seed)
    network = build_network(arguments.network, dict(arguments.option), output_count(classes), colours_of(arguments))
    learner = Learner.of(network, settings, ranks, dtype)
    checkpoints = Checkpoints(state, state.name, arguments.checkpoint_minutes, ranks)
    progress, warnings = checkpoints.resume(learner)
    if ranks.is_first:
        print(*warnings, sep="\n", end="\n" if warnings else "", file=sys.stderr)
        write_probes(state / "epochs", probes, probe_masks)

    while progress.epoch <= settings.epochs:
        batches.start_at(progress.epoch, progress.step)
        with progress_bar(progress, settings, batches, ranks) as bar:

            def after_step(bar: tqdm = bar) -> None:
                bar.update()
                bar.set_postfix(loss=f"{progress.sums[0] / progress.sums[1].clamp(min=1):.4f}")
                checkpoints.save_if_due(learner, progress)

            loss = train_one_epoch(learner, loader, progress, task, after_step)
        val_loss, confusion = validate(learner.kept, held_out_loader, task)
        rate = task.learning_rate(progress.epoch * len(batches) - 1)
        row = progress.finish_epoch(rate, loss, val_loss, selection_score(confusion, settings), ranks)
        if ranks.is_first:
            write_epoch(state / "epochs", row["epoch"], predicted_classes(learner.kept, probes, task))
            if row["best"]:
                # Before the checkpoint: a kill in between repeats the epoch and writes the same file again.
                save_model(state / "best.pt", learner.kept.state_dict(), card(arguments, settings, classes, row))
            print(line(row, settings), file=sys.stderr, flush=True)
        checkpoints.save(learner, progress)
    if ranks.is_first:
        publish(state, arguments, progress)


def fingerprint(arguments: argparse.Namespace, settings: TrainSettings, ranks: Ranks, dtype: torch.dtype) -> str:
    """What the result depends on, and nothing else: settings, code, inputs, number of processes, number type."""
    inputs = ("images", "masks", "image_table", "windows", "folds")
    facts = {
        **asdict(settings),
        **{name: getattr(arguments, name) for name in ("network", "fold", "tile_px", "downsample", "code")},
        "options": dict(arguments.option),
        "classes": read_description(arguments.dataset).classes,  # and not its licence or notes
        "inputs": [sha256(path) for path in (*(getattr(arguments, name) for name in inputs), *arguments.colours)],
        "processes": ranks.world,
        "device": ranks.device.type,
        "dtype": str(dtype),
    }
    return digest_of(json.dumps(facts, sort_keys=True).encode())[:16]


def card(arguments: argparse.Namespace, settings: TrainSettings, classes: tuple[str, ...], row: dict) -> dict:
    """What a user of the weights has to know."""
    return {
        "network": arguments.network,
        "options": dict(arguments.option),
        "classes": list(classes),
        "tile_px": arguments.tile_px,
        "downsample": arguments.downsample,
        "colours": colours_of(arguments),
        "fold": arguments.fold,
        "epoch": row["epoch"],
        "score": row["val_score"],
        "settings": asdict(settings),
    }


def colours_of(arguments: argparse.Namespace) -> dict | None:
    """Mean and standard deviation of each channel over the training images, where the input is standardised."""
    if (arguments.standardise == "fold") != bool(arguments.colours):
        raise InputError(
            f"--standardise {arguments.standardise}: with {len(arguments.colours)} files of --colours; expected "
            "one with 'fold' and none with 'none'; give scripts/measure_colours.py's JSON"
        )
    return json.loads(arguments.colours[0].read_text(encoding="utf-8")) if arguments.colours else None


def progress_bar(progress: Progress, settings: TrainSettings, batches: EpochBatches, ranks: Ranks) -> tqdm:
    """A bar of the epoch's tiles on a terminal; nothing in a log, nor from other ranks."""
    return tqdm(
        desc=f"epoch {progress.epoch}/{settings.epochs}",
        total=len(batches),
        initial=progress.step,
        unit=" images",
        unit_scale=batches.global_batch,
        disable=None if ranks.is_first else True,
        leave=False,
    )


def line(row: dict, settings: TrainSettings) -> str:
    """One epoch in one line of the log."""
    mark = " *" if row["best"] else ""
    return (
        f"epoch {row['epoch']}/{settings.epochs}: train loss {row['train_loss']:.4f}, val loss {row['val_loss']:.4f}, "
        f"val {settings.select_metric} {row['val_score']:.4f}, {row['images_per_second']:.1f} images/s{mark}"
    )


def publish(state: Path, arguments: argparse.Namespace, progress: Progress) -> None:
    """Write the declared outputs from the state folder, which stays until it is removed by hand."""
    write_table(arguments.history, HISTORY, progress.history)
    with atomic_folder(arguments.epochs_folder) as folder:
        shutil.copytree(state / "epochs", folder, dirs_exist_ok=True)
    best = torch.load(state / "best.pt", weights_only=True, map_location="cpu")
    save_model(arguments.model, best["state"], best["card"])


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("images", "masks", "image-table", "windows", "folds", "dataset", "state", "model", "history"):
        parser.add_argument(f"--{flag}", type=Path, required=True)
    parser.add_argument("--colours", type=Path, nargs="*", default=[], help="JSON of the training images' colours.")
    parser.add_argument("--epochs-folder", type=Path, required=True, help="Folder for a strip of probe tiles an epoch.")
    parser.add_argument("--fold", type=int, required=True, help="Number of the fold, from 0.")
    parser.add_argument("--tile-px", type=int, required=True, help="Side of a training tile in working pixels.")
    parser.add_argument("--downsample", type=int, required=True, help="Native pixels along one working pixel.")
    parser.add_argument("--network", required=True, help="Architecture: a file in histoloom/architectures.")
    parser.add_argument("--option", nargs="*", type=pair, default=[], help="Options of the architecture, key=value.")
    parser.add_argument("--code", required=True, help="Fingerprint of the code that trains.")
    parser.add_argument("--checkpoint-minutes", type=float, required=True, help="Minutes between checkpoints.")
    parser.add_argument("--loader-workers", type=int, required=True, help="Processes that augment, for each rank.")
    parser.add_argument("--threads-per-process", type=int, required=True, help="CPU threads of each rank.")
    TrainSettings.add_flags(parser)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
