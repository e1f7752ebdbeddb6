"""Feature pyramid network for segmentation, light on the way up: 23 million parameters on a ResNet-34."""

from segmentation_models_pytorch import FPN
from torch import nn

from histoloom.architectures._smp_encoders import on_encoder


def fpn(outputs: int, *, encoder: str = "resnet34", pretrained: str = "none") -> nn.Module:
    """Pyramid of 256 channels on `encoder`, any by its name in segmentation_models_pytorch; sides multiples of 32.

    The output is made at a quarter of the side and enlarged. `pretrained`: "none", "imagenet", or a .safetensors file
    of the encoder. Channels are dropped out in training (0.2, as the library does).
    Raises InputError for an unknown encoder, and for weights that cannot be had or do not fit.
    Source: Kirillov et al. 2019, "Panoptic feature pyramid networks", section 3.1 (the semantic branch), as
    segmentation_models_pytorch builds it.
    """
    return on_encoder("fpn", FPN, outputs, encoder, pretrained)
