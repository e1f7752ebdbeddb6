"""Soft Dice loss of the foreground classes over annotated pixels."""

import torch
from jaxtyping import Float

from histoloom.losses._overlap import overlap_costs
from histoloom.targets import Target


def dice(logits: Float[torch.Tensor, "images classes height width"], target: Target) -> Float[torch.Tensor, " images"]:
    """1 - soft Dice of the softmax probabilities, mean over foreground classes by weight, in [0, 1].

    One value per image; one pixel of smoothing. The truth is not smoothed: a smoothed one has no perfect overlap.
    Source: Milletari et al. 2016 (V-Net), with plain sums in the denominator.
    """
    return target.mean_over_foreground(overlap_costs(logits, target, false_positives=0.5, false_negatives=0.5))
