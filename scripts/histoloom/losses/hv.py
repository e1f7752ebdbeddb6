"""Loss of the horizontal and vertical maps: their values everywhere, and their slopes inside nuclei."""

import torch
from jaxtyping import Float
from torch.nn import functional

from histoloom.losses._options import Number, refuse_negative
from histoloom.targets import Target

SUPPORT_PX = 3  # side of the Sobel filter


def hv(
    maps: Float[torch.Tensor, "images 2 height width"], target: Target, *, gradient_weight: Number = 2.0
) -> Float[torch.Tensor, " images"]:
    """Mean squared error of the maps plus gradient_weight times that of their slopes, one value per image.

    The first is the mean over annotated pixels and both maps. The second is the mean over the annotated pixels of
    foreground classes, of the horizontal Sobel derivative of the horizontal map and the vertical one of the vertical
    map; pixels whose 3 x 3 neighbourhood is not wholly annotated, or leaves the tile, do not count in it. The filter is
    [1, 2, 1] across [-1, 0, 1], whose answer to a slope of 1 per pixel is 8. Classes' weights have no part in it.
    Raises InputError for a negative gradient_weight.

    Source: Graham et al. 2019, HoVer-Net, whose authors' code weighs the slopes by 1 with a 5 x 5 filter that answers
    12 to a slope of 1; 2 with this one comes close to it.
    """
    refuse_negative("hv", gradient_weight=gradient_weight)
    assert target.maps is not None, "the loader makes maps wherever the loss has a term of maps"
    error = maps - target.maps
    values = target.mean_over_pixels((error**2).mean(1, keepdim=True), weighted=False)
    return values + gradient_weight * _squared_slopes(error, target)


def _squared_slopes(error: Float[torch.Tensor, "images 2 height width"], target: Target) -> torch.Tensor:
    # A filter is linear: the slope of the error is the error of the slopes.
    horizontal, vertical = error[:, 0], error[:, 1]
    slopes = torch.stack([_sobel(horizontal), _sobel(vertical.mT).mT], 1)
    whole = -functional.max_pool2d(-target.annotated, SUPPORT_PX, stride=1)  # 0 as soon as one of the nine is
    nuclei = target.truth[:, 1:, 1:-1, 1:-1].sum(1, keepdim=True) * whole
    return ((slopes**2).mean(1, keepdim=True) * nuclei).sum((1, 2, 3)) / nuclei.sum((1, 2, 3)).clamp(min=1)


def _sobel(values: Float[torch.Tensor, "images height width"]) -> torch.Tensor:
    # Along the last axis, where the filter lies inside. By differences: a convolution may run in bfloat16 or TF32.
    steps = values[:, :, 2:] - values[:, :, :-2]
    return steps[:, :-2] + 2 * steps[:, 1:-1] + steps[:, 2:]
