"""DeepLabV3 on a ResNet-101, from random or from ImageNet weights: 58.6 million parameters."""

from torch import nn
from torchvision.models import ResNet101_Weights
from torchvision.models.segmentation import deeplabv3_resnet101 as torchvision_deeplabv3

from histoloom.architectures._deeplabv3 import build_deeplabv3


def deeplabv3_resnet101(outputs: int, *, pretrained: str = "none", auxiliary: bool = False) -> nn.Module:
    """DeepLabV3 with output stride 8; `pretrained` is none, imagenet or a .safetensors file of a ResNet-101.

    `auxiliary` adds a fully convolutional head on the third of the ResNet's four stages, whose logits are the second
    output while training (deep supervision): 2.4 million parameters more. Batch norm over pooled features: a training
    batch needs two images at least.
    Raises InputError for weights that cannot be had or do not fit.
    Source: Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation"; torchvision.
    """
    return build_deeplabv3(torchvision_deeplabv3, ResNet101_Weights.IMAGENET1K_V2, outputs, pretrained, auxiliary)
