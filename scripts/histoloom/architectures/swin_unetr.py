"""Swin UNETR, a transformer of shifted windows with a convolutional decoder: 6.3 million parameters."""

import torch
from jaxtyping import Float
from monai.networks.nets import SwinUNETR
from torch import nn
from torch.nn import functional

from histoloom.errors import InputError

DEEPEST = 32  # times smaller are the deepest features than the image
HEADS = 12  # widths are multiples of it: the first stage has 3 attention heads


def swin_unetr(outputs: int, *, width: int = 24) -> nn.Module:
    """Four stages of two blocks in windows of 7 x 7 patches of 2 x 2 pixels, `width` channels at the first stage.

    48 is the paper's width. Sides multiples of 32.
    Source: Hatamizadeh et al. 2022, "Swin UNETR: Swin Transformers for Semantic Segmentation of Brain Tumors in MRI
    Images", as MONAI builds it in two dimensions.
    """
    if not isinstance(width, int) or width < HEADS or width % HEADS:
        raise InputError(f"swin_unetr: option width={width!r}; expected a multiple of {HEADS}; 48 is the paper's")
    return _AnyMultiple(in_channels=3, out_channels=outputs, feature_size=width, spatial_dims=2)


class _AnyMultiple(SwinUNETR):
    """Swin UNETR that takes the smallest tile too: instance norm needs more than one pixel at the deepest level."""

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n outputs height width"]:
        """Logits on the grid of the images."""
        height, width = images.shape[-2:]
        if max(height, width) > DEEPEST:
            return super().forward(images)
        twice = functional.pad(images, (0, DEEPEST, 0, 0), mode="replicate")
        return super().forward(twice)[..., :width]
