"""What training changes as it goes, and how far it has come: all that a checkpoint has to hold."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import torch
from jaxtyping import Float64
from torch import nn
from torch.optim.swa_utils import AveragedModel

from histoloom.train.distributed import Ranks, gathered, over_ranks, with_shared_statistics
from histoloom.train.settings import TrainSettings

HISTORY = ("epoch", "learning_rate", "train_loss", "val_loss", "val_score", "seconds", "images_per_second", "best")


@dataclass
class Learner:
    """Everything that a step changes: the network as trained, its averaged twin, the optimiser and the scaler."""

    network: nn.Module
    parallel: nn.Module  # the same network, wrapped so that gradients are shared between processes
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    @classmethod
    def of(cls, network: nn.Module, settings: TrainSettings, ranks: Ranks, dtype: torch.dtype) -> "Learner":
        """Adam, the averaged weights if asked for, and a gradient scaler that acts for float16 only."""
        network = with_shared_statistics(network, ranks).to(ranks.device, memory_format=torch.channels_last)
        average = _moving_average(settings.ema_decay)
        return cls(
            network=network,
            parallel=over_ranks(network, ranks),
            average=AveragedModel(network, multi_avg_fn=average, use_buffers=True) if settings.ema_decay else None,
            optimizer=torch.optim.Adam(
                network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
            ),
            scaler=torch.amp.GradScaler(ranks.device.type, enabled=dtype == torch.float16),
        )

    @property
    def kept(self) -> nn.Module:
        """The network whose weights are validated and kept."""
        return self.average.module if self.average else self.network

    def state(self) -> dict:
        """All of it as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict) -> None:
        """Take back what `state` gave."""
        self.network.load_state_dict(state["network"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])


@dataclass
class Progress:
    """How far training has come: `step` steps of `epoch` are done, and the epochs in `history`.

    `sums` are, for this rank and the current epoch, loss times annotated pixels, annotated pixels, and images.
    """

    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    sums: Float64[torch.Tensor, " 3"] = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    history: list[dict[str, float | int]] = field(default_factory=list)

    def count(self, loss_pixels: float, pixels: float, images: int, seconds: float) -> None:
        """Take note of a step that is done."""
        self.sums += torch.tensor([loss_pixels, pixels, images], dtype=torch.float64)
        self.step += 1
        self.seconds += seconds

    def finish_epoch(self, rate: float, train_loss: float, val_loss: float, score: float, ranks: Ranks) -> dict:
        """Close the epoch; give its row of history.csv, in which the best so far is the one with the highest score.

        Where no epoch has a defined score (no foreground in the validation part) the first one stays the best.
        """
        best = max((row for row in self.history if row["best"]), key=lambda row: row["epoch"], default=None)
        is_best = best is None or score > best["val_score"] or (math.isnan(best["val_score"]) and math.isfinite(score))
        values = (
            self.epoch,
            rate,
            train_loss,
            val_loss,
            score,
            round(self.seconds, 3),
            round(float(self.sums[2]) * ranks.world / max(self.seconds, 1e-9), 2),
            int(is_best),
        )
        row = dict(zip(HISTORY, values, strict=True))
        self.history.append(row)
        self.epoch, self.step, self.seconds, self.sums = self.epoch + 1, 0, 0.0, torch.zeros(3, dtype=torch.float64)
        return row

    def state(self, ranks: Ranks) -> dict:
        """As plain values, with the sums of every rank, so that each resumes with its own."""
        return {**asdict(self), "sums": gathered(self.sums.to(ranks.device), ranks).cpu()}

    @classmethod
    def restored(cls, state: dict, ranks: Ranks) -> "Progress":
        """This rank's progress out of what `state` gave."""
        return cls(**{**state, "sums": state["sums"][ranks.rank].clone()})


def _moving_average(decay: float) -> Callable:
    """Exponential moving average whose decay grows from 0.1 with the updates, so that early weights are forgotten."""

    @torch.no_grad()
    def update(averages: list[torch.Tensor], currents: list[torch.Tensor], updates: torch.Tensor | int) -> None:
        effective = min(decay, (1 + int(updates)) / (10 + int(updates)))
        for average, current in zip(averages, currents, strict=True):
            if average.is_floating_point():
                average.lerp_(current, 1 - effective)
            else:
                average.copy_(current)

    return update
