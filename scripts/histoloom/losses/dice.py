"""Soft Dice loss (MONAI's) of the foreground classes over annotated pixels."""

import torch
from jaxtyping import Float
from monai.losses import DiceLoss

# One pixel of smoothing: a class that an image lacks costs 1 - 1/(1 + predicted area), so that it is pushed to zero
# instead of costing a constant 1 without gradient.
DICE = DiceLoss(include_background=False, reduction="none", smooth_nr=1.0, smooth_dr=1.0)


def dice(
    logits: Float[torch.Tensor, "images classes height width"],
    truth: Float[torch.Tensor, "images classes height width"],
    annotated: Float[torch.Tensor, "images 1 height width"],
) -> Float[torch.Tensor, " images"]:
    """1 - soft Dice of the softmax probabilities, mean over foreground classes, one value per image in [0, 1].

    Source: Milletari et al. 2016 (V-Net), with plain sums in the denominator. `truth` is one-hot.
    """
    probabilities = logits.softmax(1) * annotated
    return DICE(probabilities, truth * annotated).mean((1, 2, 3))
