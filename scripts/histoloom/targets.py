"""What a network's output channels mean, and what they should have been: the one place that knows their order."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float32, UInt8

from histoloom.marks import is_marked
from histoloom.sample import IGNORE, PSEUDO

MAPS = 2  # horizontal and vertical distance of a pixel from its nucleus' centre, each -1 to 1
LEAST_PIXELS = 1e-6  # what divides an image without any annotated pixel, whose loss is 0; less than any weight of one


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

    truth: 1 at each annotated pixel's class, else 0. annotated: how much a pixel counts: 1 where somebody annotated,
        less where a model's label was accepted, 0 elsewhere.
    drawn: 1 where somebody annotated, else 0; None where no model's label is among them, so that it is `annotated`.
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
    drawn: Float[torch.Tensor, "images 1 height width"] | None = None

    @classmethod
    def of(
        cls,
        masks: UInt8[torch.Tensor, "images height width"],
        class_weights: Float[torch.Tensor, " classes"],
        smoothing: float = 0.0,
        maps: torch.Tensor | None = None,
        distances: torch.Tensor | None = None,
        pseudo_weight: float = 0.0,
    ) -> "Target":
        """Of class indices, in which 255 is a pixel that nobody annotated.

        With a pseudo_weight PSEUDO + class is a pixel that a model labelled, which counts so much. The truth is whole
        in both: a loss that is a mean over pixels is linear in the weight.
        """
        classes = torch.arange(len(class_weights), device=masks.device)[None, :, None, None]
        if not pseudo_weight:
            truth, annotated = (masks[:, None] == classes).float(), (masks != IGNORE)[:, None].float()
            return cls(truth, annotated, class_weights, smoothing, maps, distances)
        marked, drawn = is_marked(masks)[:, None], (masks < PSEUDO)[:, None].float()
        truth = ((masks - PSEUDO * marked[:, 0])[:, None] == classes).float()
        return cls(truth, drawn + pseudo_weight * marked, class_weights, smoothing, maps, distances, drawn)

    @property
    def counted(self) -> Float[torch.Tensor, "images classes height width"]:
        """The truth, each pixel by how much it counts."""
        return self.truth if self.drawn is None else self.truth * self.annotated

    @property
    def pixels(self) -> Float[torch.Tensor, " images"]:
        """Annotated pixels of each image by how much they count; it may divide, since it is never 0."""
        return self.annotated.sum((1, 2, 3)).clamp(min=LEAST_PIXELS)

    @property
    def of_people(self) -> "Target":
        """The same of the pixels alone that people annotated: only of their nuclei is anything known."""
        if self.drawn is None:
            return self
        return replace(self, truth=self.truth * self.drawn, annotated=self.drawn, drawn=None)

    @property
    def smoothed(self) -> Float[torch.Tensor, "images classes height width"]:
        """The truth with the share `smoothing` of it spread over all classes (Szegedy et al. 2016); 0 as it is."""
        if not self.smoothing:
            return self.truth
        annotated = self.annotated if self.drawn is None else (self.annotated > 0).float()
        return self.truth * (1 - self.smoothing) + annotated * (self.smoothing / self.count)

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
        weights = self.annotated
        if weighted:
            weights = (self.counted * self.class_weights[:, None, None]).sum(1, keepdim=True)
        return (pixelwise * weights).sum((1, 2, 3)) / self.pixels

    def mean_over_foreground(self, by_class: Float[torch.Tensor, "images classes"]) -> Float[torch.Tensor, " images"]:
        """Mean of a value per class over the classes but the background, each counted by its weight."""
        weights = self.class_weights[1:]
        return (by_class[:, 1:] * weights).sum(1) / weights.sum().clamp(min=1e-6)


def counted_pixels(
    masks: UInt8[torch.Tensor, "images height width"], pseudo_weight: float = 0.0
) -> Float32[torch.Tensor, ""]:
    """How many pixels of a batch are annotated; of those that a model labelled each counts `pseudo_weight`."""
    if not pseudo_weight:
        return (masks != IGNORE).sum().float()
    return (masks < PSEUDO).sum().float() + pseudo_weight * is_marked(masks).sum().float()
