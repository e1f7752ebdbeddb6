"""What the DeepLabV3 architectures share: torchvision's network behind our inputs and outputs."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional
from torchvision.models import WeightsEnum

from histoloom.pretrained import ImageNetScaled, fetch_url, load_encoder, torch_cache


def build_deeplabv3(
    build: Callable[..., nn.Module], weights: WeightsEnum, outputs: int, pretrained: str, auxiliary: bool
) -> nn.Module:
    """The network that torchvision's function `build` gives, its encoder from `weights` where `pretrained` says so.

    Raises InputError for weights that cannot be had or do not fit.
    """
    network = build(weights=None, weights_backbone=None, num_classes=outputs, aux_loss=auxiliary)
    fetch, where = partial(fetch_url, weights.url), torch_cache(weights.url)
    # Files of a whole ResNet hold its classifier "fc", which the encoder has not.
    load_encoder(network.backbone, pretrained, build.__name__, fetch, where, ignored=("fc.",))
    return Deeplab(network)


class Deeplab(ImageNetScaled):
    """A DeepLabV3 of torchvision that takes RGB in [-1, 1] and gives one tensor, or two while it trains.

    The second one is of the auxiliary head, where the network has it, at an eighth of the images' size.
    """

    @property
    def encoder(self) -> nn.Module:
        """The ResNet."""
        return self.network.backbone

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> torch.Tensor | list[torch.Tensor]:
        """Logits on the grid of the images; in training mode [these, the auxiliary ones] where there are such."""
        features = self.network.backbone(self.scaled(images))
        coarse = self.network.classifier(features["out"])
        logits = functional.interpolate(coarse, images.shape[-2:], mode="bilinear", align_corners=False)
        if self.network.aux_classifier is None or not self.training:
            return logits
        return [logits, self.network.aux_classifier(features["aux"])]
