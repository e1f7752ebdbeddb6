"""Soft Jaccard loss (MONAI's) of the foreground classes over annotated pixels."""

import torch
from jaxtyping import Float
from monai.losses import DiceLoss

JACCARD = DiceLoss(include_background=False, jaccard=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)


def iou(
    logits: Float[torch.Tensor, "images classes height width"],
    truth: Float[torch.Tensor, "images classes height width"],
    annotated: Float[torch.Tensor, "images 1 height width"],
) -> Float[torch.Tensor, " images"]:
    """1 - soft intersection over union of the softmax probabilities, mean over foreground classes, in [0, 1].

    Up to the one pixel of smoothing it is 1 - d / (2 - d) of the soft Dice d, as in the PanNuke study.
    """
    probabilities = logits.softmax(1) * annotated
    return JACCARD(probabilities, truth * annotated).mean((1, 2, 3))
