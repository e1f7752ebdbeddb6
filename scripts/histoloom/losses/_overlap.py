"""Soft overlap of prediction and truth: what the Dice, Jaccard and Tversky losses have in common.

MONAI has these losses and is the oracle of their tests. The few lines are our own because its import costs every
process about ten seconds of CPU, which a network that is not MONAI's would pay for nothing else.
"""

import torch
from jaxtyping import Float

from histoloom.losses._options import Number
from histoloom.targets import Target

# Half a pixel, as MONAI's Dice with smoothing 1. A class that an image lacks costs 1 - 1/2 / (1/2 + share of the
# predicted area), so that it is pushed to zero instead of costing a constant 1 without gradient.
SMOOTHING_PX = 0.5


def overlap_costs(
    logits: Float[torch.Tensor, "images classes height width"],
    target: Target,
    *,
    false_positives: Number,
    false_negatives: Number,
) -> Float[torch.Tensor, "images classes"]:
    """1 - Tversky index of the softmax probabilities of each image and class, over annotated pixels, in [0, 1].

    The two weights say what a falsely found and a missed pixel count: 1/2 each is Dice, 1 each is the Jaccard index.
    Source: Tversky 1977, Features of similarity; Salehi et al. 2017 for sums of probabilities.
    """
    probabilities = logits.softmax(1)
    truth = target.counted
    overlap = (probabilities * truth).sum((2, 3))
    false = (probabilities * (target.annotated - truth)).sum((2, 3))
    missed = truth.sum((2, 3)) - overlap
    # Errors over all, and not 1 - overlap over all: the same, but exact where nearly all is right.
    errors = false_positives * false + false_negatives * missed
    return errors / (overlap + errors + SMOOTHING_PX)
