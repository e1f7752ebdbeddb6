"""A small residual U-Net, the one to start with: 1.6 million parameters."""

from monai.networks.nets import UNet
from torch import nn


def unet_small(outputs: int) -> nn.Module:
    """Residual U-Net with instance norm: five levels of 16 to 256 channels, heights and widths multiples of 16.

    Source: Kerfoot et al. 2018, "Left-ventricle quantification using residual U-Net", as MONAI builds it.
    """
    return UNet(
        spatial_dims=2,
        in_channels=3,
        out_channels=outputs,
        channels=(16, 32, 64, 128, 256),
        strides=(2, 2, 2, 2),
        num_res_units=2,
        norm="INSTANCE",
    )
