"""How far a training has come: the step of its epoch, and the rows of history.csv that it has written."""

import math
from dataclasses import asdict, dataclass, field

import torch
from jaxtyping import Float64

from histoloom.train.distributed import Ranks, gathered

HISTORY = (
    "epoch",
    "learning_rate",
    "train_loss",
    "val_loss",
    "val_score",
    "seconds",
    "images_per_second",
    "best",
    "steps",  # of the epoch, with those that were left out
    "skipped_steps",  # left out since loss or gradient was no number
    "ended",  # why training ended with this epoch: "", finished, early or diverged
)


@dataclass(frozen=True)
class End:
    """When training ends: after `epochs`, after `patience` epochs without a better score (0: never), or diverged."""

    epochs: int
    patience: int = 0
    has_diverged: bool = False

    def reason(self, epoch: int, best_epoch: int) -> str:
        """Why training ends with `epoch`; "" where it goes on."""
        if self.has_diverged:
            return "diverged"
        if epoch >= self.epochs:
            return "finished"
        return "early" if self.patience and epoch - best_epoch >= self.patience else ""


@dataclass
class Progress:
    """How far training has come: `step` steps of `epoch` are done, and the epochs in `history`.

    `sums` are, for this rank and the current epoch, loss times annotated pixels, annotated pixels, and images;
    `skipped_steps` those of the epoch whose loss or gradient was no number.
    """

    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    skipped_steps: int = 0
    sums: Float64[torch.Tensor, " 3"] = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    history: list[dict[str, float | int]] = field(default_factory=list)

    def count(self, loss_pixels: float, pixels: float, images: int, seconds: float) -> None:
        """Take note of a step that is done."""
        self.sums += torch.tensor([loss_pixels, pixels, images], dtype=torch.float64)
        self.step += 1
        self.seconds += seconds

    def skip(self, seconds: float) -> None:
        """Take note of a step that was left out."""
        self.step += 1
        self.skipped_steps += 1
        self.seconds += seconds

    @property
    def scores(self) -> tuple[float, ...]:
        """Validation scores of the finished epochs."""
        return tuple(row["val_score"] for row in self.history)

    @property
    def is_over(self) -> bool:
        """Whether the last epoch was the last one."""
        return bool(self.history) and bool(self.history[-1]["ended"])

    def finish_epoch(
        self, rate: float, train_loss: float, val_loss: float, score: float, ranks: Ranks, end: End
    ) -> dict:
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
            self.step,
            self.skipped_steps,
            end.reason(self.epoch, best["epoch"] if best and not is_best else self.epoch),
        )
        row = dict(zip(HISTORY, values, strict=True))
        self.history.append(row)
        self.epoch, self.step, self.seconds, self.skipped_steps = self.epoch + 1, 0, 0.0, 0
        self.sums = torch.zeros(3, dtype=torch.float64)
        return row

    def state(self, ranks: Ranks) -> dict:
        """As plain values, with the sums of every rank, so that each resumes with its own."""
        return {**asdict(self), "sums": gathered(self.sums.to(ranks.device), ranks).cpu()}

    @classmethod
    def restored(cls, state: dict, ranks: Ranks) -> "Progress":
        """This rank's progress out of what `state` gave."""
        return cls(**{**state, "sums": state["sums"][ranks.rank].clone()})
