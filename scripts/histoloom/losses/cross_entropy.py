"""Cross-entropy over mutually exclusive classes."""

import torch
from jaxtyping import Float
from torch.nn import functional


def cross_entropy(
    logits: Float[torch.Tensor, "images classes height width"],
    truth: Float[torch.Tensor, "images classes height width"],
    annotated: Float[torch.Tensor, "images 1 height width"],
) -> Float[torch.Tensor, " images"]:
    """Mean over annotated pixels of the softmax cross-entropy, one value per image, in nats. `truth` is one-hot."""
    pixelwise = functional.cross_entropy(logits, truth, reduction="none")[:, None]
    return (pixelwise * annotated).sum((1, 2, 3)) / annotated.sum((1, 2, 3)).clamp(min=1)
