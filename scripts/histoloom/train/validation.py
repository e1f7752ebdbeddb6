"""The validation part after each epoch: loss, confusion, and the score that chooses the best epoch."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import nn
from torch.utils.data import DataLoader

from histoloom.evaluate.counting.confusion import foreground
from histoloom.plugins import load
from histoloom.sample import IGNORE
from histoloom.train.data.batches import Batch
from histoloom.train.distributed import gathered, summed
from histoloom.train.objective import objective
from histoloom.train.settings import TrainSettings
from histoloom.train.task import Task


@torch.inference_mode()
def validate(
    network: nn.Module, loader: DataLoader | Sequence[Batch], task: Task, after_batch: Callable[[], None]
) -> tuple[float, Int64[np.ndarray, "classes classes"]]:
    """Loss and pooled confusion matrix (truth, predicted) of the validation tiles of all processes.

    `after_batch` is called equally often on all, which may have different numbers of batches: so they can agree in it.
    """
    network.eval()
    count, device = len(task.outputs.classes), task.ranks.device
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    confusion = torch.zeros(count * count, dtype=torch.int64, device=device)
    for batch in loader:
        output = task.output_of(network, batch.images)
        sums += torch.stack(objective(output, task.target(batch), task.losses, task.outputs))
        masks = batch.masks.to(device, non_blocking=True)
        seen = masks != IGNORE
        pairs = masks[seen].long() * count + task.outputs.class_logits(output).argmax(1)[seen]
        confusion += torch.bincount(pairs, minlength=count * count)
        after_batch()
    longest = gathered(torch.tensor([len(loader)], device=device), task.ranks).max()
    for _ in range(int(longest) - len(loader)):
        after_batch()
    sums, confusion = summed(sums, task.ranks), summed(confusion, task.ranks)
    return float(sums[0] / sums[1]), confusion.view(count, count).cpu().numpy()


@torch.inference_mode()
def predicted_classes(
    network: nn.Module, images: UInt8[torch.Tensor, "images height width 3"], task: Task
) -> UInt8[np.ndarray, "images height width"]:
    """Class index of every pixel of some tiles."""
    network.eval()
    return task.outputs.class_logits(task.output_of(network, images)).argmax(1).to(torch.uint8).cpu().numpy()


def selection_score(confusion: Int64[np.ndarray, "classes classes"], settings: TrainSettings) -> float:
    """The value that chooses the best epoch, of the pooled confusion matrix; NaN where it is undefined."""
    metric = load("metrics", settings.select_metric)
    if settings.select_class == "foreground":
        return float(metric(foreground(confusion)[None])[0, -1])
    scores = metric(confusion[None])[0]
    scores = scores[1:] if len(scores) > 1 else scores  # the mean is over the classes that are not background
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else math.nan
