"""Binary cross-entropy of every class channel against the rest."""

import torch
from jaxtyping import Float
from torch.nn import functional

from histoloom.targets import Target


def bce(logits: Float[torch.Tensor, "images classes height width"], target: Target) -> Float[torch.Tensor, " images"]:
    """Mean over annotated pixels and classes of the binary cross-entropy with logits, one value per image, in nats.

    Every channel is a sigmoid of its own, as in the BreCaHAD and PanNuke studies. A pixel counts by its class's weight.
    """
    pixelwise = functional.binary_cross_entropy_with_logits(logits, target.smoothed, reduction="none")
    return target.mean_over_pixels(pixelwise.mean(1, keepdim=True))
