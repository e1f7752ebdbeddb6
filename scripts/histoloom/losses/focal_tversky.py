"""Focal Tversky loss: the Tversky loss to a power, so that classes near to right or far from it count more."""

import torch
from jaxtyping import Float

from histoloom.losses._options import Number, refuse_negative
from histoloom.losses._overlap import overlap_costs
from histoloom.targets import Target

NEARLY_RIGHT = 1e-6


def focal_tversky(
    logits: Float[torch.Tensor, "images classes height width"],
    target: Target,
    *,
    alpha: Number = 0.3,
    beta: Number = 0.7,
    gamma: Number = 0.75,
) -> Float[torch.Tensor, " images"]:
    """(1 - soft Tversky index) ** gamma, mean over foreground classes by weight, one value per image in [0, 1].

    alpha weighs false positives, beta false negatives. gamma is the exponent itself, 0.75 being 1 / gamma of the
    paper's 4/3; below 1 the gradient stays steep for classes that are nearly right, above 1 they count less.
    Half a pixel of smoothing. Raises InputError for a negative option.

    Source: Abraham and Khan 2019, A novel focal Tversky loss function with improved attention U-Net for lesion
    segmentation; there alpha and beta have changed places.
    """
    refuse_negative("focal_tversky", alpha=alpha, beta=beta, gamma=gamma)
    costs = overlap_costs(logits, target, false_positives=alpha, false_negatives=beta)
    # Straight below NEARLY_RIGHT: at 0 the slope of a root is infinite, which would make every gradient NaN.
    return target.mean_over_foreground(costs * costs.clamp(min=NEARLY_RIGHT) ** (gamma - 1))
