"""HoVer-Net: one encoder, and decoders for nuclei, their types and their distance maps; 35.3 million parameters."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from monai.networks.nets import HoVerNet
from torch import nn
from torchvision.models import ResNet50_Weights

from histoloom.errors import InputError
from histoloom.pretrained import ImageNetScaled, fetch_url, load_encoder, torch_cache
from histoloom.targets import MAPS

# Pixels of context that unpadded convolutions use up on each side: 95 of the original's 270 leave 80; 46 in the fast
# mode, whose sides must be multiples of 8, as those of a tile with a margin of 48 are.
MARGINS = {"original": 95, "fast": 48}
UNITS = (3, 4, 6, 3)  # of the four stages of a ResNet-50
WEIGHTS = ResNet50_Weights.IMAGENET1K_V2


def hovernet(outputs: int, *, map_branch: bool = False, mode: str = "original", pretrained: str = "none") -> nn.Module:
    """HoVer-Net with 5 x 5 kernels in its decoders (`mode` original, as published) or with 3 x 3 (fast, the authors').

    `map_branch` gives the last two outputs a decoder of their own; left out of a config it follows the loss. The
    nucleus branch gives two logits, background and nucleus; with more than two classes a type branch divides the
    nucleus between the others: a softmax over the outputs is P(nucleus) and P(nucleus) * P(type | nucleus), so that
    cross-entropy over them is the sum of both branches' own, as the published network is trained.
    Convolutions in the decoders are not padded. Where the published network gives less than it is fed, 80 of 270
    pixels, here each tile is mirrored at its edges by 95 pixels (fast: 48) and the output covers all of it: a tile
    of 256 takes 3.0 times its pixels (fast: 1.9).
    `pretrained` is none, imagenet (a ResNet-50 in the places that MONAI gives it), or a .safetensors file of the
    encoder.
    Raises InputError for outputs that leave fewer than two classes, and for weights that cannot be had or do not fit.
    Source: Graham et al. 2019, "Hover-Net: Simultaneous segmentation and classification of nuclei in multi-tissue
    histology images"; MONAI's HoVerNet, but enlarged by nearest neighbour as published, not bilinearly.
    """
    classes = outputs - MAPS * map_branch
    _check(outputs, classes, map_branch, mode)
    parts = HoVerNet(mode=mode, np_out_channels=2, out_classes=classes - 1 if classes > 2 else 0)
    network = _HoVer(parts, map_branch, MARGINS[mode])
    load_encoder(network.encoder, pretrained, "hovernet", _resnet, torch_cache(WEIGHTS.url))
    return ImageNetScaled(network)


class _HoVer(nn.Module):
    """The parts of a HoVer-Net, put together so that tiles of any sides that are multiples of 8 give one tensor."""

    def __init__(self, parts: HoVerNet, map_branch: bool, margin: int) -> None:
        super().__init__()
        self.margin = margin
        self.encoder = _Encoder(parts)
        self.bottleneck = parts.bottleneck
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")
        self.nucleus, self.types = parts.nucleus_prediction, parts.type_prediction
        self.maps = parts.horizontal_vertical if map_branch else None
        for branch in self._branches():
            branch.upsample = self.enlarge

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n outputs height width"]:
        """Class logits, then maps if there is a branch for them, on the grid of the images."""
        features = self.encoder(mirrored(images, self.margin))
        deepest = self.enlarge(self.bottleneck(features.pop()))
        nucleus, *others = (_centre(branch(deepest, features), *images.shape[-2:]) for branch in self._branches())
        logits = nucleus if self.types is None else _joined(nucleus, others.pop(0))
        return torch.cat([logits, *others], dim=1)

    def _branches(self) -> list[nn.Module]:
        return [branch for branch in (self.nucleus, self.types, self.maps) if branch is not None]


class _Encoder(nn.Module):
    """A preactivated ResNet-50 that keeps the image's size in its first stage."""

    def __init__(self, parts: HoVerNet) -> None:
        super().__init__()
        self.conv0, self.res_blocks = parts.conv0, parts.res_blocks

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> list[torch.Tensor]:
        """Features of the four stages, finest first: 256 to 2048 channels, full size to an eighth."""
        features = [self.conv0(images)]
        for stage in self.res_blocks:
            features.append(stage(features[-1]))
        return features[1:]


def mirrored(
    images: Float[torch.Tensor, "n channels height width"], margin: int
) -> Float[torch.Tensor, "n channels padded_height padded_width"]:
    """Images continued on each side by their mirror image, whose edge row is not repeated; as often as need be.

    >>> mirrored(torch.tensor([1.0, 2.0, 3.0]).expand(1, 1, 3, 3), 3)[0, 0, 0].tolist()
    [2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0]
    """
    rows, columns = (_reflected(side, margin, images.device) for side in images.shape[-2:])
    return images.index_select(2, rows).index_select(3, columns)


def _reflected(side: int, margin: int, device: torch.device) -> Int[torch.Tensor, " padded"]:
    period = 2 * (side - 1)
    positions = torch.arange(-margin, side + margin, device=device).remainder(period)
    return torch.minimum(positions, period - positions)


def _centre(output: torch.Tensor, height: int, width: int) -> torch.Tensor:
    top, left = (output.shape[-2] - height) // 2, (output.shape[-1] - width) // 2
    return output[..., top : top + height, left : left + width]


def _joined(
    nucleus: Float[torch.Tensor, "n 2 height width"], types: Float[torch.Tensor, "n types height width"]
) -> Float[torch.Tensor, "n classes height width"]:
    shares = types.log_softmax(dim=1).to(nucleus.dtype)  # autocast computes it in float32
    return torch.cat([nucleus[:, :1], nucleus[:, 1:] + shares], dim=1)


def _check(outputs: int, classes: int, map_branch: bool, mode: str) -> None:
    if mode not in MARGINS:
        raise InputError(f"hovernet: option mode={mode!r}; expected one of {', '.join(MARGINS)}; choose one of these")
    if classes < 2:
        raise InputError(
            f"hovernet: {outputs} outputs with map_branch={map_branch}; expected two classes at least, and two maps "
            "more where map_branch is set; set it only where the loss has hv"
        )


def _resnet() -> Mapping[str, torch.Tensor]:
    """ImageNet's ResNet-50 under the encoder's names; what the encoder has no place for is left out."""
    places, weights = _places(), {}
    for key, value in fetch_url(WEIGHTS.url).items():
        part, _, kind = key.rpartition(".")
        if part in places:
            weights[f"{places[part]}.{kind}"] = value
    return weights


def _places() -> dict[str, str]:
    """Where each part of a ResNet-50 goes; a unit's last norm to the norm that opens the next unit, as in MONAI."""
    places = {"conv1": "conv0.conv", "bn1": "conv0.bn"}
    for stage, units in enumerate(UNITS):
        block, layer = f"res_blocks.d{stage}", f"layer{stage + 1}"
        places |= {f"{layer}.0.downsample.0": f"{block}.shortcut", f"{layer}.0.downsample.1": f"{block}.bna_block.bn"}
        for unit in range(units):
            inner = f"{block}.layers.denselayer_{unit}.layers"
            places |= {f"{layer}.{unit}.conv{number}": f"{inner}.conv{number}" for number in (1, 2, 3)}
            places |= {f"{layer}.{unit}.bn{number}": f"{inner}.conv{number}/bn" for number in (1, 2)}
            if unit > 0:
                places[f"{layer}.{unit - 1}.bn3"] = f"{inner}.preact/bn"
    return places
