"""What a training step changes: the network, its averaged twin, the optimiser and the scaler."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from histoloom.networks import memory_format
from histoloom.train.distributed import Ranks, over_ranks, with_shared_statistics
from histoloom.train.optimisers import build_optimiser
from histoloom.train.parametric_relu import with_fast_activations
from histoloom.train.settings import TrainSettings


@dataclass
class Learner:
    """Everything that a step changes: the network as trained, its averaged twin, the optimiser and the scaler."""

    network: nn.Module
    parallel: nn.Module  # the same network, wrapped so that gradients are shared between processes
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    # Listed once: to walk through some hundred modules at every step takes a tenth of a small network's step.
    parameters: list[nn.Parameter] = field(init=False)
    statistics: list[torch.Tensor] = field(init=False)  # what batch norms have seen

    def __post_init__(self) -> None:
        self.parameters = list(self.network.parameters())
        self.statistics = [buffer for buffer in self.network.buffers() if buffer.is_floating_point()]

    @classmethod
    def of(cls, network: nn.Module, settings: TrainSettings, ranks: Ranks, dtype: torch.dtype) -> "Learner":
        """The optimiser, the averaged weights if asked for, and a gradient scaler that acts for float16 only."""
        layout = memory_format(ranks.device)
        network = with_fast_activations(with_shared_statistics(network, ranks), ranks.device)
        network = network.to(ranks.device, memory_format=layout)
        average = _moving_average(settings.ema_decay)
        return cls(
            network=network,
            parallel=_compiled(over_ranks(network, ranks), settings.compile),
            average=AveragedModel(network, multi_avg_fn=average, use_buffers=True) if settings.ema_decay else None,
            optimizer=build_optimiser(
                network.parameters(),
                settings.optimiser,
                settings.learning_rate,
                settings.weight_decay,
                settings.optimiser_options,
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


def _compiled(network: nn.Module, is_wanted: bool) -> nn.Module:
    return torch.compile(network) if is_wanted else network


def _moving_average(decay: float) -> Callable:
    """Exponential moving average whose decay grows from 0.1 with the updates, so that early weights are forgotten."""

    @torch.no_grad()
    def update(averages: list[torch.Tensor], currents: list[torch.Tensor], updates: torch.Tensor | int) -> None:
        effective = min(decay, (1 + int(updates)) / (10 + int(updates)))
        # All of a number type come at once: on a GPU one launch instead of one for each of some hundred tensors.
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, 1 - effective)
        else:
            torch._foreach_copy_(averages, currents)

    return update
