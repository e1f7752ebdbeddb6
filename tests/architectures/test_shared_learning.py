"""Every architecture learns: all of its parameters, on one process and on two, and it can learn a tile by heart."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from tests.architectures.architecture_case import OUTPUTS, SMALLER_SIDES_PX, finest, tiles

ROOT = Path(__file__).parents[2]
STEPS, RATE = 20, 5e-3  # of Adam
FEWER = {"deeplabv3_resnet101": (10, 1e-3), "hovernet": (4, 2e-3)}  # for time


def test_gradients_reach_every_parameter(architecture):
    network = architecture.to_train()
    output = finest(network(tiles(architecture.name, 2)))
    (output * torch.randn(output.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert torch.isfinite(parameter.grad).all(), label
        # A bias before a norm has no effect, so only kernels must feel something.
        assert parameter.ndim == 1 or parameter.grad.any(), label


def test_twenty_steps_overfit_one_tile(architecture):
    torch.manual_seed(2)  # of dropout
    network = architecture.to_train()
    images, classes = a_nucleus(architecture.name)
    steps, rate = FEWER.get(architecture.name, (STEPS, RATE))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        loss = nn.functional.cross_entropy(OUTPUTS.class_logits(finest(network(images))), classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # Who knows nothing but that 41 % are nucleus has the entropy of that as a loss.
    share = classes.float().mean()
    entropy = -(share * share.log() + (1 - share) * (1 - share).log())
    assert 0.66 < entropy < 0.69
    assert losses[-1] < entropy / 2 < losses[0], losses


def a_nucleus(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A tile with a dark disc, class 1, on a light ground with noise, and its mirror image: batch norm needs two."""
    image = tiles(name, 1) * 0.2 + 0.6
    side = image.shape[-1]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    disc = (rows - 0.5 * side) ** 2 + (columns - 0.4 * side) ** 2 < (0.36 * side) ** 2
    image = torch.where(disc, image - 1, image)
    images, classes = torch.cat([image, image.flip(-1)]), torch.stack([disc, disc.flip(-1)]).long()
    return (images[:1], classes[:1]) if name in SMALLER_SIDES_PX else (images, classes)


def test_two_ranks_give_each_architecture_the_gradients_of_one():
    done = subprocess.run(
        [sys.executable, "scripts/launch_training.py", "--processes", "2", "tests/architectures/on_two_ranks.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"scripts{os.pathsep}.", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("all equal") == 2
