"""What a network's output channels mean: the one place that knows their order."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32


def output_count(classes: Sequence[str]) -> int:
    """How many channels a network has to give: one logit for each class, the background's first."""
    return len(classes)


def class_logits(
    output: Float[torch.Tensor, "n outputs height width"], classes: Sequence[str]
) -> Float[torch.Tensor, "n classes height width"]:
    """The class channels of a network's output, in the order of `classes`."""
    return output[:, : len(classes)]


def class_probabilities(
    output: Float[torch.Tensor, "n outputs height width"], classes: Sequence[str]
) -> Float32[torch.Tensor, "n classes height width"]:
    """Probabilities that sum to one over the classes, by softmax in float32 whatever precision the network ran in."""
    return class_logits(output, classes).float().softmax(dim=1)
