"""Small targets with all that a loss may look at, and losses called by name."""

import inspect
from collections.abc import Sequence

import torch

from histoloom import plugins
from histoloom.targets import Target
from histoloom.train.data.boundary_distances import signed_distances

LOSSES = plugins.names("losses")


def target_of(
    masks: Sequence | torch.Tensor, classes: int = 2, *, weights: Sequence[float] | None = None, smoothing: float = 0.0
) -> Target:
    """Of nested lists of class indices, one for each image."""
    masks = torch.as_tensor(masks).to(torch.uint8)
    generator = torch.Generator().manual_seed(1)
    maps = torch.rand(len(masks), 2, *masks.shape[1:], generator=generator) * 2 - 1
    nuclei = (masks > 0) & (masks != 255)
    distances = torch.stack([torch.from_numpy(signed_distances(mask.numpy(), classes)) for mask in masks])
    return Target.of(
        masks, torch.tensor(weights or [1.0] * classes), smoothing, maps=maps * nuclei[:, None], distances=distances
    )


def example(images: int = 3, classes: int = 3, **settings) -> Target:
    """Random classes on 6 x 5 pixels; of the first image nobody annotated the first two rows."""
    masks = torch.randint(0, classes, (images, 6, 5), generator=torch.Generator().manual_seed(0))
    masks[0, :2] = 255
    return target_of(masks, classes, **settings)


def looks_at_maps(name: str) -> bool:
    return next(iter(inspect.signature(plugins.load("losses", name)).parameters)) == "maps"


def random_output(name: str, target: Target, seed: int = 2) -> torch.Tensor:
    """What an untrained network might give to the loss `name`: class logits or maps."""
    shape = target.maps.shape if looks_at_maps(name) else target.truth.shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def per_image(name: str, output: torch.Tensor, target: Target, **options) -> torch.Tensor:
    loss = plugins.load("losses", name)
    distances = [target.distances] if "distances" in inspect.signature(loss).parameters else []
    return loss(output, target, *distances, **options)
