"""Inception U-Net: at each level filters of three sizes and a hybrid pooling beside each other."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from histoloom.errors import InputError

LEVELS = 4  # on the way down, above the bottom


def inception_unet(outputs: int, *, width: int = 16, pooling: str = "hartley") -> nn.Module:
    """U-Net of Inception modules: `width` filters of each size at the first of five levels, twice as many at each next.

    Poolings join the maximum with a second kind, `pooling`: "hartley" (the paper's: the low frequencies of the whole
    tile, so what is seen depends on the tile's extent, and its opposite edges touch) or "mean" (of the same pixels as
    the maximum). Sides are multiples of 16.
    Raises InputError for a wrong option.

    Source: Punn and Agarwal 2020, "Inception U-Net architecture for semantic segmentation to identify nuclei in
    microscopy cell images", doi 10.1145/3376922: branches of 1 x 1, 3 x 3, 5 x 5 and hybrid pooling. What its abstract
    leaves open is as in the model that its authors published: widths of 16 to 256, a 1 x 1 convolution after each
    module and pooling, upwards convolutions of 2 x 2, and a shortcut by which the image, pooled 16-fold, comes to the
    bottom. Chosen here: batch norm after each convolution (Ioffe and Szegedy 2015, who gave it to Inception) instead of
    switch normalisation of the input, which is scaled already; a pooling branch of 3 x 3 pixels, as GoogLeNet's
    (Szegedy et al. 2015); no dropout.
    """
    if not isinstance(width, int) or width < 1:
        raise InputError(
            f"inception_unet: option width={width!r}; expected a whole number of filters from 1; 16 is the authors'"
        )
    if pooling not in SECOND_POOLINGS:
        choices = ", ".join(SECOND_POOLINGS)
        raise InputError(
            f"inception_unet: option pooling={pooling!r}; expected one of {choices}; hartley is the paper's"
        )
    return InceptionUNet(outputs, width, SECOND_POOLINGS[pooling])


class InceptionUNet(nn.Module):
    """Inception modules on the way down, at the bottom and on the way up."""

    def __init__(self, outputs: int, width: int, second: Callable[[torch.Tensor, int], torch.Tensor]) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS)]
        bottom = width * 2**LEVELS
        self.down = nn.ModuleList(map(Inception, [3, *widths[:-1]], widths))
        self.poolings = nn.ModuleList(HybridPooling(each, 2, second) for each in widths)
        self.shortcut = HybridPooling(3, 2**LEVELS, second)
        self.bottom = Inception(widths[-1], bottom, beside=3)
        self.enlargements = nn.ModuleList(nn.ConvTranspose2d(2 * each, each, 2, stride=2) for each in widths[::-1])
        self.up = nn.ModuleList(Inception(2 * each, each) for each in widths[::-1])
        self.head = nn.Conv2d(width, outputs, 1)

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n outputs height width"]:
        """Logits on the grid of the images."""
        values, skipped = images, []
        for module, pooling in zip(self.down, self.poolings, strict=True):
            skipped.append(module(values))
            values = pooling(skipped[-1])
        values = self.bottom(values, self.shortcut(images))
        for enlarge, module in zip(self.enlargements, self.up, strict=True):
            values = module(torch.cat([enlarge(values), skipped.pop()], dim=1))
        return self.head(values)


class Inception(nn.Module):
    """Filters of 1, 3 and 5 pixels and a pooling beside each other, joined by a 1 x 1 convolution."""

    def __init__(self, inputs: int, width: int, beside: int = 0) -> None:
        """`beside`: channels that come from elsewhere and join the branches."""
        super().__init__()
        self.filters = nn.ModuleList(_convolution(inputs, width, side) for side in (1, 3, 5))
        self.pooled = _convolution(2 * inputs, inputs, 1)
        self.join = _convolution(3 * width + inputs + beside, width, 1)

    def forward(self, values: Float[torch.Tensor, "n inputs h w"], *beside: torch.Tensor) -> torch.Tensor:
        """The joined branches: n, width, h, w."""
        # To pool without making smaller leaves the second kind of pooling nothing to do: all frequencies are kept.
        hybrid = torch.cat([functional.max_pool2d(values, 3, stride=1, padding=1), values], dim=1)
        branches = [each(values) for each in self.filters]
        return self.join(torch.cat([*branches, self.pooled(hybrid), *beside], dim=1))


class HybridPooling(nn.Module):
    """Makes sides `factor` times smaller in two ways, weighted by a 1 x 1 convolution."""

    def __init__(self, channels: int, factor: int, second: Callable[[torch.Tensor, int], torch.Tensor]) -> None:
        super().__init__()
        self.factor, self.second = factor, second
        self.weigh = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, values: Float[torch.Tensor, "n channels h w"]) -> torch.Tensor:
        """The same channels on sides `factor` times smaller."""
        both = [functional.max_pool2d(values, self.factor), self.second(values, self.factor)]
        return self.weigh(torch.cat(both, dim=1))


def hartley_pool(values: Float[torch.Tensor, "n channels h w"], factor: int) -> torch.Tensor:
    """Sides `factor` times smaller by keeping the low frequencies of the discrete Hartley transform alone.

    A wave slower than half the new sampling rate stays the same wave; a faster one is gone.
    Source: Zhang and Ma 2020, "Hartley spectral pooling for deep learning" (arXiv 1810.04028). The transform runs along
    both axes in turn, and the frequency of which only one sign would be kept is left out: then rows and columns are
    each one real matrix, and the outcome equals that of a Fourier transform.
    """
    rows, columns = (_low_pass(side, factor, values) for side in values.shape[-2:])
    return rows @ values @ columns.T


def _low_pass(side: int, factor: int, like: torch.Tensor) -> Float[torch.Tensor, "kept side"]:
    """Hartley transform of `side` values, cut to its low frequencies, and transformed back to fewer values."""
    kept = side // factor
    highest = (kept - 1) // 2
    frequencies = torch.arange(-highest, highest + 1, device=like.device)

    def cas(length: int) -> torch.Tensor:
        # In float64, which automatic mixed precision leaves alone; whole turns would cost the sine its last digits.
        turns = (torch.outer(torch.arange(length, device=like.device), frequencies) % length).double() / length
        return torch.cos(2 * math.pi * turns) + torch.sin(2 * math.pi * turns)

    return (cas(kept) @ cas(side).T / side).to(like.dtype)


SECOND_POOLINGS = {"hartley": hartley_pool, "mean": functional.avg_pool2d}


def _convolution(inputs: int, outputs: int, side: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
