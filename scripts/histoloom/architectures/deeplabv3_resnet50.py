"""DeepLabV3 on a ResNet-50, from random or from ImageNet weights: 40 million parameters."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import nn
from torchvision.models import ResNet50_Weights
from torchvision.models.segmentation import deeplabv3_resnet50 as torchvision_deeplabv3

from histoloom.errors import InputError

PRETRAINED = {"none": None, "imagenet": ResNet50_Weights.IMAGENET1K_V2}
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1], as the ResNet-50 weights were trained with
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def deeplabv3_resnet50(outputs: int, *, pretrained: str = "none") -> nn.Module:
    """DeepLabV3 with output stride 8; `pretrained` "imagenet" starts its ResNet-50 from ImageNet, "none" at random.

    Batch norm over pooled features: a training batch needs two images at least.
    Raises InputError when ImageNet weights are neither in torch's cache nor to be downloaded.
    Source: Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation"; torchvision.
    """
    if pretrained not in PRETRAINED:
        choices = ", ".join(PRETRAINED)
        raise InputError(f"deeplabv3_resnet50: option pretrained={pretrained!r}; expected one of {choices}")
    weights = PRETRAINED[pretrained]
    try:
        network = torchvision_deeplabv3(weights=None, weights_backbone=weights, num_classes=outputs, aux_loss=False)
    except (OSError, RuntimeError) as error:  # no network, no such address, or a damaged download
        raise InputError(_cure(weights, error)) from error
    return ImageNetScaled(network)


class ImageNetScaled(nn.Module):
    """A torchvision segmentation network that takes RGB in [-1, 1] and gives one tensor."""

    def __init__(self, network: nn.Module) -> None:
        """Hold the network; the scaling is the same whatever weights it starts from, so a model can be reloaded."""
        super().__init__()
        self.network = network
        mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        self.register_buffer("mean", 2 * mean - 1, persistent=False)
        self.register_buffer("deviation", 2 * deviation, persistent=False)

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n outputs height width"]:
        """Logits on the grid of the images."""
        return self.network((images - self.mean) / self.deviation)["out"]


def _cure(weights: ResNet50_Weights | None, error: Exception) -> str:
    if weights is None:
        raise error
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"deeplabv3_resnet50: ImageNet weights cannot be loaded ({reason});\n"
        f"expected {cached} or a connection to {weights.url};\n"
        "download that file and put it there, or set the option pretrained: none"
    )
