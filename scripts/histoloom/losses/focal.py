"""Focal loss: binary cross-entropy in which pixels that are already right count little."""

import torch
from jaxtyping import Float
from torch.nn import functional

from histoloom.losses._options import Number, refuse_negative
from histoloom.targets import Target


def focal(
    logits: Float[torch.Tensor, "images classes height width"], target: Target, *, gamma: Number = 2.0
) -> Float[torch.Tensor, " images"]:
    """Mean over annotated pixels and classes of (1 - p)^gamma * -ln p, one value per image, in nats.

    p is the sigmoid probability of what is true of a channel, as in `bce`, which this is with gamma 0. The classes'
    weights take the place of the paper's alpha. The truth is not smoothed. Raises InputError for a negative gamma.

    Source: Lin et al. 2017, Focal loss for dense object detection.
    """
    refuse_negative("focal", gamma=gamma)
    towards_truth = logits * (2 * target.truth - 1)
    log_p = functional.logsigmoid(towards_truth)
    # 1 - p by its logarithm: the power of a difference that rounds to 0 has no finite slope for gamma below 1.
    log_rest = log_p - towards_truth
    pixelwise = -log_p * torch.exp(gamma * log_rest)
    return target.mean_over_pixels(pixelwise.mean(1, keepdim=True))
