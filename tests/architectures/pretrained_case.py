"""Weights to begin from, and a file that nobody should open."""

from pathlib import Path

import torch
from torch import nn


def randomised(network: nn.Module) -> dict[str, torch.Tensor]:
    """A state of random numbers, the same in each call; counters of batch norm apart."""
    generator = torch.Generator().manual_seed(7)
    return {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }


class Trap:
    """What leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)
