"""Binary cross-entropy of every class channel against the rest."""

import torch
from jaxtyping import Float
from torch.nn import functional


def bce(
    logits: Float[torch.Tensor, "images classes height width"],
    truth: Float[torch.Tensor, "images classes height width"],
    annotated: Float[torch.Tensor, "images 1 height width"],
) -> Float[torch.Tensor, " images"]:
    """Mean over annotated pixels and classes of the binary cross-entropy with logits, one value per image, in nats.

    Every channel is a sigmoid of its own, as in the BreCaHAD and PanNuke studies. `truth` is one-hot.
    """
    pixelwise = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(1, keepdim=True)
    return (pixelwise * annotated).sum((1, 2, 3)) / annotated.sum((1, 2, 3)).clamp(min=1)
