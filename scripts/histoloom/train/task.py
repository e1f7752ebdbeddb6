"""What a training is to learn, and where it is computed: the same for every step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from histoloom.networks import network_input
from histoloom.plugins import load
from histoloom.targets import Outputs, Target
from histoloom.train.course import Course
from histoloom.train.data.batches import Batch
from histoloom.train.distributed import Ranks
from histoloom.train.objective import WeightedLoss
from histoloom.train.settings import TrainSettings


@dataclass(frozen=True)
class Task:
    """What is to be learnt, and where it is computed: the same for every step."""

    settings: TrainSettings
    network: str  # the architecture's name, for messages
    outputs: Outputs
    steps_per_epoch: int
    ranks: Ranks
    dtype: torch.dtype
    class_weights: torch.Tensor
    losses: list[WeightedLoss]
    schedule: Callable[..., float]

    @classmethod
    def of(
        cls,
        settings: TrainSettings,
        network: str,
        outputs: Outputs,
        losses: list[WeightedLoss],
        steps_per_epoch: int,
        ranks: Ranks,
        dtype: torch.dtype,
        class_weights: Float[np.ndarray, " classes"],
    ) -> "Task":
        """With the schedule that the settings name; `losses` are those of `settings.loss`."""
        weights = torch.as_tensor(class_weights, dtype=torch.float32, device=ranks.device)
        schedule = load("schedules", settings.schedule)
        return cls(settings, network, outputs, steps_per_epoch, ranks, dtype, weights, losses, schedule)

    def learning_rate(self, step: int, scores: tuple[float, ...]) -> float:
        """The learning rate of step `step`, from 0 over the whole training, after epochs of these scores."""
        course = Course(step, self.steps_per_epoch, self.settings.epochs, scores)
        return self.settings.learning_rate * self.schedule(course, **self.settings.schedule_options)

    def target(self, batch: Batch) -> Target:
        """The truth of a batch, on the device."""
        masks, maps, distances = (
            each if each is None else each.to(self.ranks.device, non_blocking=True)
            for each in (batch.masks, batch.maps, batch.distances)
        )
        settings = self.settings
        return Target.of(masks, self.class_weights, settings.label_smoothing, maps, distances, settings.pseudo_weight)

    def output_of(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """What the network gives for RGB bytes (n, height, width, 3), in the task's number type."""
        inputs = network_input(images.to(self.ranks.device, non_blocking=True))
        with torch.autocast(self.ranks.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return network(inputs)
