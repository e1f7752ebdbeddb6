"""UNet++, a U-Net whose skip connections are dense blocks of convolutions: 26 million parameters on a ResNet-34."""

from segmentation_models_pytorch import UnetPlusPlus
from torch import nn

from histoloom.architectures._smp_encoders import on_encoder


def unetplusplus(outputs: int, *, encoder: str = "resnet34", pretrained: str = "none") -> nn.Module:
    """UNet++ on `encoder`, any but the mit_ ones by its name in segmentation_models_pytorch; sides multiples of 32.

    `pretrained`: "none", "imagenet", or a .safetensors file of the encoder. Without the paper's deep supervision.
    Raises InputError for an unknown encoder, and for weights that cannot be had or do not fit.
    Source: Zhou et al. 2018, "UNet++: A nested U-Net architecture for medical image segmentation", as
    segmentation_models_pytorch builds it.
    """
    return on_encoder("unetplusplus", UnetPlusPlus, outputs, encoder, pretrained)
