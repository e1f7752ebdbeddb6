"""The U-Net of Ronneberger et al., with padding and instance norm: 31 million parameters at its own width.

It is MONAI's BasicUNet, layer by layer, which a test holds it to; why it is written out stands in unet_small.py.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import nn

from histoloom.errors import InputError

LEVELS = 4  # below the first
SLOPE = 0.1  # of negative values


def unet(outputs: int, *, width: int = 64) -> nn.Module:
    """U-Net of five levels with `width` channels at the first, twice as many at each next one; sides multiples of 16.

    Source: Ronneberger, Fischer, Brox 2015, "U-Net" (width 64); as in MONAI's BasicUNet convolutions are padded, so
    that output and input are of one size, and normalised, and the last enlargement keeps its channels.
    """
    if not isinstance(width, int) or width < 1:
        raise InputError(f"unet: option width={width!r}; expected a whole number of channels from 1; 64 is the paper's")
    return _UNet(outputs, width)


class _UNet(nn.Module):
    def __init__(self, outputs: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS + 1)]
        self.first = _two_convolutions(3, width)
        downs = (_two_convolutions(above, below) for above, below in pairwise(widths))
        self.downs = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), down) for down in downs)
        self.ups = nn.ModuleList(
            _Up(widths[level], widths[level - 1], halves=level > 1) for level in range(LEVELS, 0, -1)
        )
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n outputs height width"]:
        """Logits on the grid of the images."""
        features = [self.first(images)]
        for down in self.downs:
            features.append(down(features[-1]))
        values = features.pop()
        for up in self.ups:
            values = up(values, features.pop())
        return self.last(values)


class _Up(nn.Module):
    """Twice the side, joined with what was there on the way down."""

    def __init__(self, inputs: int, outputs: int, halves: bool) -> None:
        super().__init__()
        enlarged = inputs // 2 if halves else inputs
        self.enlarge = nn.ConvTranspose2d(inputs, enlarged, 2, stride=2)
        self.convolutions = _two_convolutions(outputs + enlarged, outputs)

    def forward(
        self, values: Float[torch.Tensor, "n inputs height width"], skipped: torch.Tensor
    ) -> Float[torch.Tensor, "n outputs twice_height twice_width"]:
        """Features of the level above."""
        return self.convolutions(torch.cat([skipped, self.enlarge(values)], dim=1))


def _two_convolutions(inputs: int, outputs: int) -> nn.Module:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        norm = nn.InstanceNorm2d(outputs, affine=True)
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), norm, nn.LeakyReLU(SLOPE, inplace=True)]
    return nn.Sequential(*layers)
