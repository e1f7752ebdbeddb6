"""A U-Net on an EfficientNet-B0, from random or from ImageNet weights: 5.4 million parameters."""

import re
from collections.abc import Mapping
from functools import partial

import torch
from monai.networks.nets import FlexibleUNet
from monai.networks.nets.efficientnet import url_map
from torch import nn

from histoloom.pretrained import ImageNetScaled, fetch_url, load_encoder, torch_cache

BACKBONE = "efficientnet-b0"
CLASSIFIER = ("_conv_head", "_bn1", "_fc")  # what only classifies, and would be parameters without a gradient
STAGE = re.compile(r"^_blocks\.\d+\.")  # MONAI numbers blocks within stages, the published weights throughout


def unet_efficientnet_b0(outputs: int, *, pretrained: str = "none") -> nn.Module:
    """U-Net whose encoder is an EfficientNet-B0; `pretrained` is none, imagenet or a .safetensors file.

    Raises InputError for weights that cannot be had or do not fit.
    Source: Tan and Le 2019, "EfficientNet", Ronneberger et al. 2015, "U-Net"; MONAI's FlexibleUNet.
    """
    network = FlexibleUNet(in_channels=3, out_channels=outputs, backbone=BACKBONE, pretrained=False)
    for part in CLASSIFIER:
        delattr(network.encoder, part)
    fetch, where = partial(_published, network.encoder), torch_cache(url_map[BACKBONE])
    ignored = tuple(f"{part}." for part in CLASSIFIER)
    load_encoder(network.encoder, pretrained, "unet_efficientnet_b0", fetch, where, ignored)
    return ImageNetScaled(network)


def _published(encoder: nn.Module) -> Mapping[str, torch.Tensor]:
    """The weights that MONAI knows for this encoder, under the encoder's names."""
    names = {STAGE.sub("_blocks.", name): name for name in encoder.state_dict()}
    return {names.get(name, name): value for name, value in fetch_url(url_map[BACKBONE]).items()}
