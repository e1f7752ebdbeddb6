"""The objective: how the losses of a batch of tiles become the one number that is lowered."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float

from histoloom.plugins import load
from histoloom.targets import Outputs, Target
from histoloom.train.loss_terms import loss_terms


@dataclass(frozen=True)
class WeightedLoss:
    """A loss as a term of the sum; whether it looks at instance maps, not classes, and at distances to edges.

    Its parameters say so: `(maps, target)` or `(logits, target, distances)`.
    """

    weight: float
    loss: Callable[..., torch.Tensor]
    of_maps: bool
    wants_distances: bool

    def per_image(
        self, part: Float[torch.Tensor, "images channels height width"], target: Target
    ) -> Float[torch.Tensor, " images"]:
        """The loss of the class logits or maps, not yet weighted."""
        given = {"distances": target.distances} if self.wants_distances else {}
        return self.loss(part, target, **given)


def weighted_losses(text: str) -> list[WeightedLoss]:
    """The losses that a text such as "2*bce + focal(gamma=3)" names, ready to be called."""
    terms = []
    for term in loss_terms(text):
        loss = load("losses", term.name)
        parameters = inspect.signature(loss).parameters.values()
        first, *others = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]  # those are options
        terms.append(WeightedLoss(term.weight, partial(loss, **term.options), first == "maps", "distances" in others))
    return terms


def objective(
    output: Float[torch.Tensor, "images outputs height width"],
    target: Target,
    terms: Sequence[WeightedLoss],
    outputs: Outputs,
) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, ""]]:
    """The loss summed over annotated pixels, and their number: their quotient is the loss of the batch.

    Every loss is a value per image, weighted by the image's annotated pixels. So the sums of processes add up, and an
    image with a few strokes does not weigh as much as a fully annotated one. What a model labelled is of no known
    nucleus: terms of maps see and count people's pixels alone.
    """
    output = output.float()
    parts = {False: outputs.class_logits(output), True: outputs.instance_maps(output) if outputs.has_maps else None}
    targets = {False: target, True: target.of_people}
    pixels = target.annotated.sum((1, 2, 3))
    shares = {False: 1.0, True: targets[True].annotated.sum((1, 2, 3)) / target.pixels}
    per_image = sum(
        term.weight * term.per_image(parts[term.of_maps], targets[term.of_maps]) * shares[term.of_maps]
        for term in terms
    )
    return (per_image * pixels).sum(), pixels.sum()


def supervised_objective(
    output: torch.Tensor | list[torch.Tensor],
    target: Target,
    terms: Sequence[WeightedLoss],
    outputs: Outputs,
    auxiliary_weight: float,
) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, ""]]:
    """The objective of a network that may give coarser outputs too: their mean, each weighing `auxiliary_weight` of the
    next finer one (deep supervision, Lee et al. 2015).
    """
    if isinstance(output, torch.Tensor):
        return objective(output, target, terms, outputs)
    weights = [auxiliary_weight**level for level in range(len(output))]
    sums = [objective(each, target, terms, outputs) for each in output]
    total = sum(weight * loss for weight, (loss, _) in zip(weights, sums, strict=True)) / sum(weights)
    return total, sums[0][1]
