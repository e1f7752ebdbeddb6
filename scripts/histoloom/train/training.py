"""The steps of training that `scripts/train.py` puts in order: an epoch, a validation, a score."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import nn

from histoloom.errors import InputError
from histoloom.evaluate.confusion import foreground
from histoloom.networks import network_input
from histoloom.plugins import load
from histoloom.sample import IGNORE
from histoloom.targets import class_logits
from histoloom.train.distributed import Ranks, summed
from histoloom.train.learner import Learner, Progress
from histoloom.train.objective import loss_terms
from histoloom.train.settings import TrainSettings

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Task:
    """What is to be learnt, and where it is computed: the same for every step."""

    settings: TrainSettings
    classes: tuple[str, ...]
    steps_per_epoch: int
    ranks: Ranks
    dtype: torch.dtype
    terms: list[tuple[float, Loss]]

    @classmethod
    def of(
        cls,
        settings: TrainSettings,
        classes: tuple[str, ...],
        steps_per_epoch: int,
        ranks: Ranks,
        dtype: torch.dtype,
    ) -> "Task":
        """With the losses that the settings name."""
        terms = [(weight, load("losses", name)) for weight, name in loss_terms(settings.loss)]
        return cls(settings, classes, steps_per_epoch, ranks, dtype, terms)

    def learning_rate(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0 over the whole training."""
        if self.settings.schedule == "constant":
            return self.settings.learning_rate
        steps = self.settings.epochs * self.steps_per_epoch
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))


def objective(
    logits: Float[torch.Tensor, "images classes height width"],
    masks: UInt8[torch.Tensor, "images height width"],
    terms: list[tuple[float, Loss]],
) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, ""]]:
    """The loss summed over annotated pixels, and their number: their quotient is the loss of the batch.

    Every loss is a value per image, weighted by the image's annotated pixels. So the sums of processes add up, and an
    image with a few strokes does not weigh as much as a fully annotated one.
    """
    annotated = (masks != IGNORE)[:, None].float()
    classes = torch.arange(logits.shape[1], device=masks.device)[None, :, None, None]
    truth = (masks[:, None] == classes).float()
    per_image = sum(weight * loss(logits.float(), truth, annotated) for weight, loss in terms)
    pixels = annotated.sum((1, 2, 3))
    return (per_image * pixels).sum(), pixels.sum()


def train_one_epoch(
    learner: Learner, loader: Iterable, progress: Progress, task: Task, after_step: Callable[[], None]
) -> float:
    """Train on what `loader` gives, counting in `progress`; return the loss of the epoch over all processes.

    Raises InputError when the loss is not finite; the weights are then those of the step before.
    """
    learner.parallel.train()
    began = time.monotonic()  # the wait for the loader counts
    for images, masks in loader:
        step = (progress.epoch - 1) * task.steps_per_epoch + progress.step
        _seed_step(task, step)
        for group in learner.optimizer.param_groups:
            group["lr"] = task.learning_rate(step)
        loss, pixels = optimise(learner, images, masks, task)
        if not math.isfinite(loss):
            raise InputError(
                f"loss or gradient is {loss} at epoch {progress.epoch}, step {progress.step + 1}; expected a\n"
                f"finite number; lower train.learning_rate (now {task.settings.learning_rate}) or look at the\n"
                "inspection's findings; the last good checkpoint is kept"
            )
        progress.count(loss * pixels, pixels, len(images), time.monotonic() - began)
        after_step()
        began = time.monotonic()
    totals = summed(progress.sums.to(task.ranks.device), task.ranks).cpu()
    return float(totals[0] / totals[1])


def optimise(learner: Learner, images: torch.Tensor, masks: torch.Tensor, task: Task) -> tuple[float, float]:
    """One step by the gradient of the global batch; the loss of this rank's tiles and their annotated pixels.

    Where the loss or the gradient is not finite on any rank, nothing is changed and what it is is returned on all.
    """
    masks = masks.to(task.ranks.device, non_blocking=True)
    loss, pixels = objective(_logits(learner.parallel, images, task), masks, task.terms)
    total = summed(torch.stack([loss.detach(), pixels]), task.ranks)
    if not torch.isfinite(total[0]):
        return float(total[0]), float(pixels)
    learner.optimizer.zero_grad(set_to_none=True)
    # Gradients are averaged over processes: the factor `world` turns that mean of sums into their sum.
    learner.scaler.scale(loss * task.ranks.world / total[1].clamp(min=1)).backward()
    if not learner.scaler.is_enabled():  # a scaler looks for itself, and leaves out the step
        norm = nn.utils.get_total_norm([p.grad for p in learner.network.parameters() if p.grad is not None])
        if not torch.isfinite(norm):
            return float(norm), float(pixels)
    learner.scaler.step(learner.optimizer)
    learner.scaler.update()
    if learner.average:
        learner.average.update_parameters(learner.network)
    return float(loss.detach() / pixels.clamp(min=1)), float(pixels)


@torch.inference_mode()
def validate(network: nn.Module, loader: Iterable, task: Task) -> tuple[float, Int64[np.ndarray, "classes classes"]]:
    """Loss and pooled confusion matrix (truth, predicted) of the validation tiles of all processes."""
    network.eval()
    count, device = len(task.classes), task.ranks.device
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    confusion = torch.zeros(count * count, dtype=torch.int64, device=device)
    for images, bytes_of_masks in loader:
        masks = bytes_of_masks.to(device, non_blocking=True)
        logits = _logits(network, images, task)
        sums += torch.stack(objective(logits, masks, task.terms))
        seen = masks != IGNORE
        pairs = masks[seen].long() * count + logits.argmax(1)[seen]
        confusion += torch.bincount(pairs, minlength=count * count)
    sums, confusion = summed(sums, task.ranks), summed(confusion, task.ranks)
    return float(sums[0] / sums[1]), confusion.view(count, count).cpu().numpy()


@torch.inference_mode()
def predicted_classes(
    network: nn.Module, images: UInt8[torch.Tensor, "images height width 3"], task: Task
) -> UInt8[np.ndarray, "images height width"]:
    """Class index of every pixel of some tiles."""
    network.eval()
    return _logits(network, images, task).argmax(1).to(torch.uint8).cpu().numpy()


def selection_score(confusion: Int64[np.ndarray, "classes classes"], settings: TrainSettings) -> float:
    """The value that chooses the best epoch, of the pooled confusion matrix; NaN where it is undefined."""
    metric = load("metrics", settings.select_metric)
    if settings.select_class == "foreground":
        return float(metric(foreground(confusion)[None])[0, -1])
    scores = metric(confusion[None])[0]
    scores = scores[1:] if len(scores) > 1 else scores  # the mean is over the classes that are not background
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else math.nan


def _logits(network: nn.Module, images: torch.Tensor, task: Task) -> torch.Tensor:
    inputs = network_input(images.to(task.ranks.device, non_blocking=True))
    with torch.autocast(task.ranks.device.type, task.dtype, enabled=task.dtype != torch.float32):
        return class_logits(network(inputs), task.classes).float()


def _seed_step(task: Task, step: int) -> None:
    # Dropout draws from the global generator. Seeding it anew at each step leaves no state to save and restore.
    sequence = np.random.SeedSequence([task.settings.seed, step, task.ranks.rank])
    torch.manual_seed(int(sequence.generate_state(1)[0]))
