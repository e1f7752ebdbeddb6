"""The validation part after each epoch: loss, confusion, and the score that chooses the best epoch."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import nn
from torch.utils.data import DataLoader

from histoloom.sample import IGNORE
from histoloom.train.data.batches import Batch
from histoloom.train.distributed import Ranks, gathered, summed
from histoloom.train.objective import objective
from histoloom.train.selection import selection_scores
from histoloom.train.settings import TrainSettings
from histoloom.train.task import Task


@torch.inference_mode()
def validate(
    network: nn.Module, loader: DataLoader | Sequence[Batch], task: Task, after_batch: Callable[[], None]
) -> tuple[float, Int64[np.ndarray, "tiles classes classes"]]:
    """Loss over the validation tiles of all processes, and the confusion matrix (truth, predicted) of each, in order.

    `after_batch` is called equally often on all, which may have different numbers of batches: so they can agree in it.
    """
    network.eval()
    count, device = len(task.outputs.classes), task.ranks.device
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    confusions = [torch.zeros(0, count * count, dtype=torch.int64, device=device)]
    # Before the loop: what all ranks do together has to come in the same order on all.
    longest = int(gathered(torch.tensor([len(loader)], device=device), task.ranks).max())
    for batch in loader:
        output = task.output_of(network, batch.images)
        sums += torch.stack(objective(output, task.target(batch), task.losses, task.outputs))
        masks = batch.masks.to(device, non_blocking=True)
        confusions.append(_confusions(masks, task.outputs.class_logits(output).argmax(1), count))
        after_batch()
    for _ in range(longest - len(loader)):
        after_batch()
    sums, confusion = summed(sums, task.ranks), _of_all(torch.cat(confusions), task.ranks)
    return float(sums[0] / sums[1]), confusion.view(-1, count, count).cpu().numpy()


def _confusions(
    masks: UInt8[torch.Tensor, "tiles height width"], predicted: Int64[torch.Tensor, "tiles height width"], count: int
) -> Int64[torch.Tensor, "tiles pairs"]:
    tile = torch.arange(len(masks), device=masks.device)[:, None, None].expand_as(masks)
    seen = masks != IGNORE
    pairs = (tile[seen] * count + masks[seen]) * count + predicted[seen]
    return torch.bincount(pairs, minlength=len(masks) * count * count).view(len(masks), count * count)


def _of_all(confusions: Int64[torch.Tensor, "own pairs"], ranks: Ranks) -> Int64[torch.Tensor, "tiles pairs"]:
    """Those of all processes, of which each has every world-th tile."""
    tiles = int(summed(torch.tensor([len(confusions)], device=confusions.device), ranks))
    whole = torch.zeros(tiles, confusions.shape[1], dtype=torch.int64, device=confusions.device)
    whole[ranks.rank :: ranks.world] = confusions
    return summed(whole, ranks)


@torch.inference_mode()
def predicted_classes(
    network: nn.Module, images: UInt8[torch.Tensor, "images height width 3"], task: Task
) -> UInt8[np.ndarray, "images height width"]:
    """Class index of every pixel of some tiles."""
    network.eval()
    return task.outputs.class_logits(task.output_of(network, images)).argmax(1).to(torch.uint8).cpu().numpy()


def selection_score(confusion: Int64[np.ndarray, "classes classes"], settings: TrainSettings) -> float:
    """The value that chooses the best epoch, of the pooled confusion matrix; NaN where it is undefined."""
    return float(selection_scores(confusion[None], settings.select_metric, settings.select_class)[0])
