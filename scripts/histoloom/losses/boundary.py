"""Boundary loss: what is predicted on the wrong side of a class's edge costs its distance to the edge."""

import torch
from jaxtyping import Float

from histoloom.targets import Target


def boundary(
    logits: Float[torch.Tensor, "images classes height width"],
    target: Target,
    distances: Float[torch.Tensor, "images classes height width"],
) -> Float[torch.Tensor, " images"]:
    """Mean over annotated pixels of probability times signed distance, mean over foreground classes by weight.

    One value per image, in pixels, as train/data/boundary_distances.py measures: not divided by the size of
    the tile. It is negative where a prediction is right, and lowest where it is perfect. It is meant to be added with a
    small weight, such as "dice + 0.01*boundary": alone it hardly asks for a class that covers few pixels.

    Source: Kervadec et al. 2019, Boundary loss for highly unbalanced segmentation.
    """
    by_pixel = logits.softmax(1) * target.annotated * distances
    return target.mean_over_foreground(by_pixel.sum((2, 3)) / target.pixels[:, None])
