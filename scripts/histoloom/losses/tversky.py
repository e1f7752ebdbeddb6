"""Tversky loss: overlap in which a missed pixel may cost more than a falsely found one."""

import torch
from jaxtyping import Float

from histoloom.losses._options import Number, refuse_negative
from histoloom.losses._overlap import overlap_costs
from histoloom.targets import Target


def tversky(
    logits: Float[torch.Tensor, "images classes height width"],
    target: Target,
    *,
    alpha: Number = 0.3,
    beta: Number = 0.7,
) -> Float[torch.Tensor, " images"]:
    """1 - soft Tversky index, mean over foreground classes by weight, one value per image in [0, 1].

    alpha weighs false positives, beta false negatives: 0.5 and 0.5 is `dice`, 1 and 1 `iou`. Half a pixel of smoothing.
    Raises InputError for a negative option.

    Source: Salehi et al. 2017, Tversky loss function for image segmentation using 3D fully convolutional deep networks.
    """
    refuse_negative("tversky", alpha=alpha, beta=beta)
    return target.mean_over_foreground(overlap_costs(logits, target, false_positives=alpha, false_negatives=beta))
