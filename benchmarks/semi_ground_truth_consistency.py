"""Mean-teacher training for the experiment on sparse annotation: what is tried beside rounds of semi-ground truth.

Source: Tarvainen and Valpola 2017, Mean teachers are better role models.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import UInt8

from histoloom.train import training
from histoloom.train.data.batches import Batch
from histoloom.train.learner import Learner
from histoloom.train.objective import supervised_objective
from histoloom.train.task import Task

NOISE, CHANGE = 10.0, 0.2  # grey levels; share by which brightness and contrast of what the student sees vary
RAMP = 0.4  # share of the training over which the term grows to its full weight


@contextmanager
def consistency(weight: float) -> Iterator[None]:
    """Within it training adds `weight` times the squared difference between student's and teacher's probabilities.

    The teacher is the network of averaged weights. It sees the tile as it is, the student a disturbed one; the
    difference counts at all pixels, annotated or not. With 0 training is as it is.
    """
    if not weight:
        yield
        return
    usual = training._gradient
    training._gradient = lambda *given: gradient(*given, weight)
    try:
        yield
    finally:
        training._gradient = usual


def gradient(learner: Learner, batch: Batch, task: Task, total: torch.Tensor, weight: float) -> torch.Tensor:
    """Leave the gradient of the mean loss over `total` pixels and of the term; the sum of the losses."""
    output = task.output_of(learner.parallel, disturbed(batch.images))
    target = task.target(batch)
    loss, _ = supervised_objective(output, target, task.losses, task.outputs, task.settings.auxiliary_weight)
    teacher = learner.average.module.eval()
    with torch.no_grad():
        wanted = task.outputs.class_logits(task.output_of(teacher, batch.images)).float().softmax(1)
    difference = ((task.outputs.class_logits(output).float().softmax(1) - wanted) ** 2).sum(1).mean()
    done = int(learner.average.n_averaged) / (RAMP * task.steps_per_epoch * task.settings.epochs)
    ramp = math.exp(-5 * (1 - min(done, 1)) ** 2)
    learner.scaler.scale(loss / total + weight * ramp * difference).backward()
    return loss.detach()


def disturbed(images: UInt8[torch.Tensor, "n height width 3"]) -> UInt8[torch.Tensor, "n height width 3"]:
    """Images of other brightness and contrast, with noise; the step has seeded the generator."""
    contrast, brightness = 1 + CHANGE * (2 * torch.rand(2, len(images), 1, 1, 1) - 1)
    values = images.float()
    middle = values.mean((1, 2, 3), keepdim=True)
    values = ((values - middle) * contrast + middle) * brightness + NOISE * torch.randn(values.shape)
    return values.round().clamp(0, 255).to(torch.uint8)
