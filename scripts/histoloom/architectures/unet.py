"""The U-Net of Ronneberger et al., with padding and instance norm: 31 million parameters at its own width."""

import contextlib
import io

from monai.networks.nets import BasicUNet
from torch import nn

from histoloom.errors import InputError


def unet(outputs: int, *, width: int = 64) -> nn.Module:
    """U-Net of five levels with `width` channels at the first, twice as many at each next one; sides multiples of 16.

    Source: Ronneberger, Fischer, Brox 2015, "U-Net" (width 64); MONAI's BasicUNet, whose convolutions are padded so
    that output and input are of one size, and normalised.
    """
    if not isinstance(width, int) or width < 1:
        raise InputError(f"unet: option width={width!r}; expected a whole number of channels from 1; 64 is the paper's")
    features = (width, 2 * width, 4 * width, 8 * width, 16 * width, width)
    with contextlib.redirect_stdout(io.StringIO()):  # MONAI prints the features; a library is silent
        return BasicUNet(spatial_dims=2, in_channels=3, out_channels=outputs, features=features)
