"""An epoch of training, step by step."""

import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from histoloom.networks import encoder_of
from histoloom.targets import counted_pixels
from histoloom.train.data.batches import Batch
from histoloom.train.distributed import summed
from histoloom.train.history import Progress
from histoloom.train.learner import Learner
from histoloom.train.objective import supervised_objective
from histoloom.train.task import Task

# float16's scaler begins at 65536 and halves the scale at each gradient that is not finite. Below 1 the gradient
# overflows by itself: sixteen halvings in a row have not helped. The scale is in the checkpoint, so a resume knows it.
LEAST_SCALE = 1.0


@dataclass(frozen=True)
class Step:
    """What a step did: this rank's loss and annotated pixels, whether the weights were changed, and why they were not.

    `fault` is the loss or gradient that was no number. It is None for a step that float16's scaler left out to try
    again with a smaller scale.
    """

    loss: float
    pixels: float
    fault: float | None = None
    is_sound: bool = True


@dataclass(frozen=True)
class Epoch:
    """The loss of an epoch over all processes, and what ended it early: the value that was no number."""

    loss: float
    fault: float | None = None


def train_one_epoch(
    learner: Learner, loader: Iterable[Batch], progress: Progress, task: Task, after_step: Callable[[], None]
) -> Epoch:
    """Train on what `loader` gives, counting in `progress`.

    A step whose loss or gradient is no number changes nothing. By `on_divergence` it is counted and left out, or ends
    the epoch. One that float16's scaler leaves out is counted, whatever `on_divergence` says.
    """
    learner.parallel.train()
    _freeze_encoder(learner, progress.epoch, task)
    fault = None
    began = time.monotonic()  # the wait for the loader counts
    for batch in loader:
        step = (progress.epoch - 1) * task.steps_per_epoch + progress.step
        _seed_step(task, step)
        for group in learner.optimizer.param_groups:
            group["lr"] = task.learning_rate(step, progress.scores)
        done = optimise(learner, batch, task, is_encoder_frozen=_is_frozen(progress.epoch, task))
        if done.is_sound:
            progress.count(done.loss * done.pixels, done.pixels, len(batch.images), time.monotonic() - began)
        elif done.fault is not None and task.settings.on_divergence == "stop":
            fault = done.fault
            break
        else:
            progress.skip(time.monotonic() - began)
        after_step()
        began = time.monotonic()
    totals = summed(progress.sums.to(task.ranks.device), task.ranks).cpu()
    return Epoch(float(totals[0] / totals[1]), fault)


def optimise(learner: Learner, batch: Batch, task: Task, *, is_encoder_frozen: bool = False) -> Step:
    """One step by the gradient of the global batch, computed in `accumulate` parts.

    Where the loss or the gradient is no number on any rank, nothing is changed on all.
    """
    before = [values.clone() for values in learner.statistics]
    pixels = counted_pixels(batch.masks, task.settings.pseudo_weight).to(task.ranks.device)
    learner.optimizer.zero_grad(set_to_none=True)
    loss = _gradient(learner, batch, task, summed(pixels, task.ranks).clamp(min=1))
    if is_encoder_frozen:
        for parameter in encoder_of(learner.network, task.network).parameters():
            parameter.grad = None
    norm = _gradient_norm(learner)
    # One copy to the host in a step, since each waits for the device.
    of_all, own, seen, size = torch.stack([summed(loss, task.ranks), loss, pixels, norm]).tolist()
    if math.isfinite(of_all + size):
        _step(learner, norm, task.settings.clip_norm)
        return Step(own / max(seen, 1), seen)
    for values, earlier in zip(learner.statistics, before, strict=True):
        values.copy_(earlier)
    return Step(own, seen, _fault(learner.scaler, of_all, size), is_sound=False)


def _fault(scaler: torch.amp.GradScaler, loss: float, norm: float) -> float | None:
    """Lower the scale for the step that is left out; the value that was no number, if the scale is not the reason."""
    scale = scaler.get_scale()
    scaler.update()
    if not math.isfinite(loss):
        return loss
    is_scale = scaler.is_enabled() and LEAST_SCALE <= scaler.get_scale() < scale
    return None if is_scale else norm


def _gradient(learner: Learner, batch: Batch, task: Task, total: torch.Tensor) -> torch.Tensor:
    """Leave the gradient of the mean over the `total` pixels of all ranks; the sum of this rank's losses."""
    parts = [Batch(*part) for part in zip(*(_split(each, batch, task) for each in batch), strict=True)]
    sums = []
    for number, part in enumerate(parts, start=1):
        with nullcontext() if number == len(parts) else _without_exchange(learner.parallel):
            output = task.output_of(learner.parallel, part.images)
            loss, _ = supervised_objective(
                output, task.target(part), task.losses, task.outputs, task.settings.auxiliary_weight
            )
            # Gradients are averaged over processes: the factor `world` turns that mean of sums into their sum.
            learner.scaler.scale(loss * (task.ranks.world / total)).backward()
        sums.append(loss.detach())
    return torch.stack(sums).sum()


def _split(values: torch.Tensor | None, batch: Batch, task: Task) -> tuple:
    parts = min(task.settings.accumulate, len(batch.images))
    return (None,) * parts if values is None else values.tensor_split(parts)


def _without_exchange(parallel: nn.Module) -> AbstractContextManager:
    # Gradients of the parts add up on each rank and are exchanged once, with the last part.
    return parallel.no_sync() if hasattr(parallel, "no_sync") else nullcontext()


def _is_frozen(epoch: int, task: Task) -> bool:
    return epoch <= task.settings.freeze_encoder_epochs


def _freeze_encoder(learner: Learner, epoch: int, task: Task) -> None:
    # Its norms use their stored statistics. Its gradients are dropped and not switched off: the wrapper that shares
    # gradients between processes has to know from the start which there will be.
    if _is_frozen(epoch, task):
        encoder_of(learner.network, task.network).eval()


def _gradient_norm(learner: Learner) -> torch.Tensor:
    learner.scaler.unscale_(learner.optimizer)
    return nn.utils.get_total_norm([each.grad for each in learner.parameters if each.grad is not None])


def _step(learner: Learner, norm: torch.Tensor, clip_norm: float) -> None:
    if clip_norm:
        nn.utils.clip_grads_with_norm_(learner.parameters, clip_norm, norm)
    learner.scaler.step(learner.optimizer)
    learner.scaler.update()
    if learner.average:
        learner.average.update_parameters(learner.network)


def _seed_step(task: Task, step: int) -> None:
    # Dropout draws from the global generator. Seeding it anew at each step leaves no state to save and restore.
    sequence = np.random.SeedSequence([task.settings.seed, step, task.ranks.rank])
    torch.manual_seed(int(sequence.generate_state(1)[0]))
