"""Soft Jaccard loss of the foreground classes over annotated pixels."""

import torch
from jaxtyping import Float

from histoloom.losses._overlap import overlap_costs
from histoloom.targets import Target


def iou(logits: Float[torch.Tensor, "images classes height width"], target: Target) -> Float[torch.Tensor, " images"]:
    """1 - soft intersection over union of the softmax probabilities, mean over foreground classes by weight, in [0, 1].

    One value per image; half a pixel of smoothing. Up to that it is 1 - d / (2 - d) of the soft Dice d of each class,
    as in the PanNuke study.
    Source: Rahman and Wang 2016, Optimizing intersection-over-union in deep neural networks.
    """
    return target.mean_over_foreground(overlap_costs(logits, target, false_positives=1.0, false_negatives=1.0))
