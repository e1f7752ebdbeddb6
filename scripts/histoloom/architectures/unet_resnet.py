"""The plain U-Net on an ImageNet encoder that most of the field starts from: 24 million parameters on a ResNet-34."""

from segmentation_models_pytorch import Unet
from torch import nn

from histoloom.architectures._smp_encoders import on_encoder


def unet_resnet(outputs: int, *, encoder: str = "resnet34", pretrained: str = "none") -> nn.Module:
    """U-Net with 256 to 16 channels on the way up of `encoder`, any by its name in segmentation_models_pytorch.

    `pretrained`: "none", "imagenet", or a .safetensors file of the encoder. Sides are multiples of 32.
    Raises InputError for an unknown encoder, and for weights that cannot be had or do not fit.
    Source: Ronneberger, Fischer, Brox 2015, "U-Net"; segmentation_models_pytorch's Unet as it stands.
    """
    return on_encoder("unet_resnet", Unet, outputs, encoder, pretrained)
