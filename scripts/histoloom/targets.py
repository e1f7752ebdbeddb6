"""What a network's output channels mean, and what they should have been: the one place that knows their order."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, UInt8

from histoloom.sample import IGNORE

MAPS = 2  # horizontal and vertical distance of a pixel from its nucleus' centre, each -1 to 1


@dataclass(frozen=True)
class Outputs:
    """The channels of a network: one logit a class, the background's first, then the instance maps if it has them.

    The maps are the horizontal and the vertical one of HoVer-Net (Graham et al. 2019); see train/data/instance_maps.py.
    """

    classes: tuple[str, ...]
    has_maps: bool

    @property
    def count(self) -> int:
        """How many channels a network has to give."""
        return len(self.classes) + MAPS * self.has_maps

    def class_logits(
        self, output: Float[torch.Tensor, "n outputs height width"]
    ) -> Float[torch.Tensor, "n classes height width"]:
        """The class channels, in the order of `classes`."""
        return output[:, : len(self.classes)]

    def class_probabilities(
        self, output: Float[torch.Tensor, "n outputs height width"]
    ) -> Float32[torch.Tensor, "n classes height width"]:
        """Probabilities that sum to one over the classes, by softmax in float32 whatever the network ran in."""
        return self.class_logits(output).float().softmax(dim=1)

    def instance_maps(
        self, output: Float[torch.Tensor, "n outputs height width"]
    ) -> Float[torch.Tensor, "n 2 height width"]:
        """The horizontal and vertical map of a network that has them."""
        assert self.has_maps
        return output[:, len(self.classes) :]


@dataclass(frozen=True)
class Target:
    """What the pixels of a batch of tiles are: all that a loss may compare a network's output with.

    truth: 1 at each annotated pixel's class, else 0. annotated: 1 where somebody annotated, else 0.
    class_weights: how much a pixel of each class counts, 1 where classes are not weighted.
    smoothing: share of each pixel's truth that is spread evenly over the classes.
    maps: horizontal and vertical distance maps of the nuclei, 0 outside of them; for losses of the maps.
    distances: signed distance of each pixel to each class's edge in pixels, negative inside; a loss with the
        parameter `distances` is given them.
    """

    truth: Float[torch.Tensor, "images classes height width"]
    annotated: Float[torch.Tensor, "images 1 height width"]
    class_weights: Float[torch.Tensor, " classes"]
    smoothing: float = 0.0
    maps: Float[torch.Tensor, "images 2 height width"] | None = None
    distances: Float[torch.Tensor, "images classes height width"] | None = None

    @classmethod
    def of(
        cls,
        masks: UInt8[torch.Tensor, "images height width"],
        class_weights: Float[torch.Tensor, " classes"],
        smoothing: float = 0.0,
        maps: torch.Tensor | None = None,
        distances: torch.Tensor | None = None,
    ) -> "Target":
        """Of class indices, in which 255 is a pixel that nobody annotated."""
        classes = torch.arange(len(class_weights), device=masks.device)[None, :, None, None]
        truth, annotated = (masks[:, None] == classes).float(), (masks != IGNORE)[:, None].float()
        return cls(truth, annotated, class_weights, smoothing, maps, distances)

    @property
    def smoothed(self) -> Float[torch.Tensor, "images classes height width"]:
        """The truth with the share `smoothing` of it spread over all classes (Szegedy et al. 2016); 0 as it is."""
        if not self.smoothing:
            return self.truth
        return self.truth * (1 - self.smoothing) + self.annotated * (self.smoothing / self.count)

    @property
    def count(self) -> int:
        """Number of classes."""
        return self.truth.shape[1]

    def mean_over_pixels(
        self, pixelwise: Float[torch.Tensor, "images 1 height width"], *, weighted: bool = True
    ) -> Float[torch.Tensor, " images"]:
        """Mean of a value per pixel over each image's annotated pixels, each counted by its class's weight.

        The number of pixels divides and not the sum of their weights: else an image of background alone would count
        as much as without weights.
        """
        weights = (self.truth * self.class_weights[:, None, None]).sum(1, keepdim=True) if weighted else self.annotated
        return (pixelwise * weights).sum((1, 2, 3)) / self.annotated.sum((1, 2, 3)).clamp(min=1)

    def mean_over_foreground(self, by_class: Float[torch.Tensor, "images classes"]) -> Float[torch.Tensor, " images"]:
        """Mean of a value per class over the classes but the background, each counted by its weight."""
        weights = self.class_weights[1:]
        return (by_class[:, 1:] * weights).sum(1) / weights.sum().clamp(min=1e-6)
