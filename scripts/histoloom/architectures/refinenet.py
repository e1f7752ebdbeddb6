"""RefineNet: the features of a ResNet, refined step by step from coarse to fine along many paths."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional
from torchvision.models import ResNet, get_model, get_model_weights

from histoloom.errors import InputError
from histoloom.pretrained import ImageNetScaled, fetch_url, load_encoder, torch_cache

ENCODERS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
POOLINGS = 2  # in a chain (section 3.2); each is of 5 x 5 pixels


def refinenet(outputs: int, *, encoder: str = "resnet50", width: int = 256, pretrained: str = "none") -> nn.Module:
    """RefineNet on a torchvision ResNet: blocks of `width` channels at three levels, twice as many at the coarsest.

    `encoder`: resnet18, 34, 50, 101 or 152. `pretrained`: "none", "imagenet", or a .safetensors file of the encoder.
    Sides are multiples of 32; the output is made at a quarter of the side and enlarged.
    Raises InputError for a wrong option, and for weights that cannot be had or do not fit.
    Source: Lin, Milan, Shen, Reid 2017, "RefineNet: Multi-path refinement networks for high-resolution semantic
    segmentation" (arXiv 1611.06612), figure 2c and section 3.2, width 256. Open there, and chosen here: features reach
    the width by a 3 x 3 convolution where they have another, and logits are a 3 x 3 convolution.
    """
    if encoder not in ENCODERS:
        raise InputError(f"refinenet: option encoder={encoder!r}; expected one of {', '.join(ENCODERS)}")
    if not isinstance(width, int) or width < 1:
        raise InputError(
            f"refinenet: option width={width!r}; expected a whole number of channels from 1; 256 is the paper's"
        )
    levels = ResNetLevels(get_model(encoder, weights=None))
    url = get_model_weights(encoder).DEFAULT.url
    load_encoder(levels, pretrained, "refinenet", partial(fetch_url, url), torch_cache(url), ignored=("fc.",))
    return ImageNetScaled(RefineNet(levels, outputs, width))


class ResNetLevels(nn.Module):
    """A torchvision ResNet without its classifier, under the same names of weights: the features of its four levels."""

    def __init__(self, resnet: ResNet) -> None:
        super().__init__()
        self.conv1, self.bn1 = resnet.conv1, resnet.bn1
        self.layer1, self.layer2, self.layer3, self.layer4 = resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4
        self.channels = [each * resnet.layer1[0].expansion for each in (64, 128, 256, 512)]

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> list[torch.Tensor]:
        """Features at 1/4, 1/8, 1/16 and 1/32 of the sides."""
        stem = functional.max_pool2d(self.bn1(self.conv1(images)).relu(), 3, stride=2, padding=1)
        features = [stem]
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            features.append(layer(features[-1]))
        return features[1:]


class RefineNet(nn.Module):
    """The cascade: each block refines one level of the encoder with what the coarser block gave (figure 2c)."""

    def __init__(self, encoder: ResNetLevels, outputs: int, width: int) -> None:
        super().__init__()
        fine, middle, coarse, coarsest = encoder.channels
        self.encoder = encoder
        self.refine4 = RefineBlock([coarsest], 2 * width)
        self.refine3 = RefineBlock([coarse, 2 * width], width)
        self.refine2 = RefineBlock([middle, width], width)
        self.refine1 = RefineBlock([fine, width], width)
        # Two more units stand before the logits (section 3.2, output convolutions).
        self.head = nn.Sequential(ResidualConvUnit(width), ResidualConvUnit(width), _convolution(width, outputs))

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n outputs height width"]:
        """Logits on the grid of the images."""
        fine, middle, coarse, coarsest = self.encoder(images)
        refined = self.refine4(coarsest)
        refined = self.refine3(coarse, refined)
        refined = self.refine2(middle, refined)
        refined = self.refine1(fine, refined)
        return _enlarged(self.head(refined), images.shape[-2:])


class RefineBlock(nn.Module):
    """One RefineNet block: residual conv units, fusion of resolutions, chained pooling, output (figure 3a)."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        """Take features of as many `channels`, the finest first."""
        super().__init__()
        # A single path goes through the fusion unchanged (section 3.2, multi-resolution fusion).
        fuses = len(channels) > 1
        self.paths = nn.ModuleList(_path(each, width, fuses) for each in channels)
        self.pooling = ChainedResidualPooling(width)
        self.output = ResidualConvUnit(width)

    def forward(self, *features: torch.Tensor) -> Float[torch.Tensor, "n channels height width"]:
        """The features, finest first, fused on the grid of the finest."""
        size = features[0].shape[-2:]
        fused = sum(_enlarged(path(each), size) for path, each in zip(self.paths, features, strict=True))
        return self.output(self.pooling(fused))


class ResidualConvUnit(nn.Module):
    """A ResNet's convolution unit without its batch norm (figure 3b)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(
        self, values: Float[torch.Tensor, "n channels height width"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """The values plus what two convolutions make of them."""
        return values + self.second(self.first(values.relu()).relu())


class ChainedResidualPooling(nn.Module):
    """Context from ever larger windows: each pooling takes the one before, and all are added up (figure 3d)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(_convolution(width, width) for _ in range(POOLINGS))

    def forward(
        self, values: Float[torch.Tensor, "n channels height width"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """The rectified values plus the chain's poolings, each weighted by its convolution."""
        total = pooled = values.relu()
        for convolution in self.convolutions:
            pooled = convolution(functional.max_pool2d(pooled, 5, stride=1, padding=2))
            total = total + pooled
        return total


def _path(channels: int, width: int, fuses: bool) -> nn.Sequential:
    adapt = [_convolution(channels, width)] if channels != width else []
    fuse = [_convolution(width, width)] if fuses else []
    return nn.Sequential(*adapt, ResidualConvUnit(width), ResidualConvUnit(width), *fuse)


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _enlarged(values: torch.Tensor, size: torch.Size) -> torch.Tensor:
    same = values.shape[-2:] == size
    return values if same else functional.interpolate(values, size, mode="bilinear", align_corners=False)
