"""Cross-entropy over mutually exclusive classes."""

import torch
from jaxtyping import Float
from torch.nn import functional

from histoloom.targets import Target


def cross_entropy(
    logits: Float[torch.Tensor, "images classes height width"], target: Target
) -> Float[torch.Tensor, " images"]:
    """Mean over annotated pixels of the softmax cross-entropy, one value per image, in nats.

    A pixel counts by its class's weight.
    """
    # With shares as truth, and not indices: torch has no deterministic kernel on GPUs for those.
    pixelwise = functional.cross_entropy(logits, target.smoothed, reduction="none")
    return target.mean_over_pixels(pixelwise[:, None])
