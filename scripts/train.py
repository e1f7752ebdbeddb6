"""Train one network on one fold: for each epoch train, validate, save.

    python scripts/launch_training.py --processes 2 scripts/train.py --fold 0 --network unet --images ...

Killed at any step and started again with the same flags, it goes on and ends with the same bytes. Asked to stop, by
SIGTERM, SIGUSR1 or Ctrl-C, it finishes its step, saves, and ends with status 75.
"""

import argparse
import os
import sys
from contextlib import nullcontext
from pathlib import Path

import torch
from tqdm import tqdm

from histoloom.arguments import add_flags, boolean, pair, settings_among
from histoloom.errors import run
from histoloom.lease import Lease, leased
from histoloom.memory import keep_freed_memory
from histoloom.networks import build_network, resolve_precision, save_model
from histoloom.prepared import read_description
from histoloom.split.tiles import TileStore, read_windows
from histoloom.targets import Outputs
from histoloom.train.checkpoint import Checkpoints
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.batches import Tiles
from histoloom.train.data.fold_data import FoldData
from histoloom.train.data.local_copy import local_copies
from histoloom.train.data.order import EpochBatches
from histoloom.train.distributed import Ranks, entered_by_first, from_first, joined, told_once, wait_for_all
from histoloom.train.failures import divergence_note, torch_errors_explained
from histoloom.train.history import End, Progress
from histoloom.train.learner import Learner
from histoloom.train.objective import WeightedLoss, weighted_losses
from histoloom.train.probes import write_epoch, write_probes
from histoloom.train.record import BEST, card, colours_of, fingerprint, line, publish
from histoloom.train.scores import write_scores
from histoloom.train.settings import TrainSettings
from histoloom.train.stopping import StopRequest, stop_requests
from histoloom.train.task import Task
from histoloom.train.training import train_one_epoch
from histoloom.train.validation import predicted_classes, selection_score, validate


def main() -> None:
    arguments = parsed()
    keep_freed_memory()
    settings, augmentation = settings_among(arguments, TrainSettings), settings_among(arguments, Augmentation)
    with joined(arguments.threads_per_process) as ranks, stop_requests() as asked, told_once(ranks, asked):
        dtype = resolve_precision(settings.precision, ranks.device)
        identity = fingerprint(arguments, settings, augmentation, ranks, dtype) if ranks.is_first else ""
        state = arguments.state / from_first(identity, ranks)
        explained = torch_errors_explained(settings, arguments.network, arguments.tile_px, ranks.world)
        arrays = [arguments.images, arguments.masks, arguments.instances]
        scratch = Path(os.environ.get("TMPDIR") or "/tmp")
        near = local_copies(arrays, scratch, state, ranks) if arguments.local_scratch else nullcontext(arrays)
        with entered_by_first(leased(state), ranks) as lease, explained, near as arrays:
            arguments.images, arguments.masks, arguments.instances = arrays
            train(arguments, settings, augmentation, ranks, asked, dtype, state, lease)
            wait_for_all(ranks)


def train(
    arguments: argparse.Namespace,
    settings: TrainSettings,
    augmentation: Augmentation,
    ranks: Ranks,
    asked: StopRequest,
    dtype: torch.dtype,
    state: Path,
    lease: Lease | None,
) -> None:
    losses = weighted_losses(settings.loss)
    outputs = Outputs(read_description(arguments.dataset).classes, any(loss.of_maps for loss in losses))
    data = data_of_fold(arguments, settings, augmentation, ranks, outputs, losses)
    task = Task.of(settings, arguments.network, outputs, losses, len(data.batches), ranks, dtype, data.class_weights)
    task.learning_rate(0, ())  # a schedule refuses options that make no sense before anything is computed

    torch.manual_seed(settings.seed)
    network = build_network(
        arguments.network, dict(arguments.option), outputs.count, colours_of(arguments), has_maps=outputs.has_maps
    )
    learner = Learner.of(network, settings, ranks, dtype)
    checkpoints = Checkpoints(state, state.name, arguments.checkpoint_minutes, ranks, asked, lease)
    progress, warnings = checkpoints.resume(learner)
    if ranks.is_first:
        print(*warnings, sep="\n", end="\n" if warnings else "", file=sys.stderr)
        write_probes(state / "epochs", data.probes.images, data.probes.masks)

    while not progress.is_over:
        data.batches.start_at(progress.epoch, progress.step)
        with progress_bar(progress, settings, data.batches, ranks) as bar:

            def after_step(bar: tqdm = bar) -> None:
                bar.update()
                bar.set_postfix(loss=f"{progress.sums[0] / progress.sums[1].clamp(min=1):.4f}")
                checkpoints.after_step(learner, progress)

            epoch = train_one_epoch(learner, data.loader, progress, task, after_step)
        checkpoints.hold(learner, progress)
        val_loss, confusions = validate(learner.kept, data.held_out, task, checkpoints.stop_if_asked)
        rate = task.learning_rate(progress.epoch * len(data.batches) - 1, progress.scores)
        end = End(settings.epochs, settings.patience, has_diverged=epoch.fault is not None)
        score = selection_score(confusions.sum(0), settings)
        row = progress.finish_epoch(rate, epoch.loss, val_loss, score, ranks, end)
        if ranks.is_first:
            checkpoints.check_lease()
            write_epoch(state / "epochs", row["epoch"], predicted_classes(learner.kept, data.probes.images, task))
            if row["best"]:
                # Before the checkpoint: a kill in between repeats the epoch and writes the same file again.
                description = card(arguments, settings, augmentation, outputs, data.mpp, row)
                save_model(state / BEST, learner.kept.state_dict(), description)
            if arguments.scores:
                write_scores(arguments.scores, progress.history, data.held_out_names, confusions)
            print(line(row, settings), file=sys.stderr, flush=True)
            if epoch.fault is not None:
                print(divergence_note(epoch.fault, progress, settings), file=sys.stderr, flush=True)
        checkpoints.save(learner, progress)
    if ranks.is_first:
        checkpoints.check_lease()
        publish(state, arguments, progress)


def data_of_fold(
    arguments: argparse.Namespace,
    settings: TrainSettings,
    augmentation: Augmentation,
    ranks: Ranks,
    outputs: Outputs,
    losses: list[WeightedLoss],
) -> FoldData:
    """Open what make_tiles.py laid out, with the truth beside the masks that the network and the losses want."""
    store = TileStore.open(arguments.images, arguments.masks, arguments.instances, arguments.image_table)
    has_boundary = any(loss.wants_distances for loss in losses)
    tiles = Tiles(store, arguments.tile_px, len(outputs.classes), outputs.has_maps, has_boundary)
    windows, folds, workers = read_windows(arguments.windows), arguments.folds, arguments.loader_workers
    return FoldData.of(tiles, windows, folds, arguments.fold, settings, augmentation, ranks, workers)


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


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs = ("images", "masks", "instances", "image-table", "windows", "folds", "dataset")
    for flag in (*inputs, "state", "model", "history"):
        parser.add_argument(f"--{flag}", type=Path, required=True)
    parser.add_argument("--colours", type=Path, nargs="*", default=[], help="JSON of the training images' colours.")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="Files of weights that options name.")
    parser.add_argument("--scores", type=Path, help="JSON of the epochs so far, for who watches the training.")
    parser.add_argument("--epochs-folder", type=Path, required=True, help="Folder for a strip of probe tiles an epoch.")
    parser.add_argument("--fold", type=int, required=True, help="Number of the fold, from 0.")
    parser.add_argument("--tile-px", type=int, required=True, help="Side of a training tile in working pixels.")
    parser.add_argument("--downsample", type=int, required=True, help="Native pixels along one working pixel.")
    parser.add_argument("--network", required=True, help="Architecture: a file in histoloom/architectures.")
    parser.add_argument("--option", nargs="*", type=pair, default=[], help="Options of the architecture, key=value.")
    parser.add_argument("--code", required=True, help="Fingerprint of the code that trains.")
    parser.add_argument("--checkpoint-minutes", type=float, required=True, help="Minutes between checkpoints.")
    parser.add_argument("--loader-workers", type=int, required=True, help="Processes that augment, for each rank.")
    parser.add_argument("--local-scratch", type=boolean, required=True, help="Copy the tiles to $TMPDIR first.")
    parser.add_argument("--threads-per-process", type=int, required=True, help="CPU threads of each rank.")
    add_flags(parser, TrainSettings)
    add_flags(parser, Augmentation)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
