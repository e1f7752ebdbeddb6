"""A small residual U-Net, the one to start with: 1.6 million parameters.

It is MONAI's UNet with residual units, layer by layer, which a test holds it to. It is written out here since `import
monai` takes ten seconds of processor time, in every process that trains or predicts: longer than a small image takes.
"""

import torch
from jaxtyping import Float
from torch import nn

WIDTHS = (16, 32, 64, 128, 256)


def unet_small(outputs: int) -> nn.Module:
    """Residual U-Net with instance norm: five levels of 16 to 256 channels, heights and widths multiples of 16.

    Source: Kerfoot et al. 2018, "Left-ventricle quantification using residual U-Net", as MONAI builds it.
    """
    return _Level(3, outputs, WIDTHS, is_top=True)


class _Level(nn.Module):
    """One level: down to half the side, all levels below, joined with what went down, and up again."""

    def __init__(self, inputs: int, outputs: int, widths: tuple[int, ...], is_top: bool = False) -> None:
        super().__init__()
        width, below = widths[0], widths[1:]
        self.down = _Residual(inputs, width, stride=2)
        self.below = _Level(width, width, below) if len(below) > 1 else _Residual(width, below[0])
        joined = width + (width if len(below) > 1 else below[0])
        enlarge = nn.ConvTranspose2d(joined, outputs, 3, stride=2, padding=1, output_padding=1)
        self.up = nn.Sequential(enlarge, *_finish(outputs), _Residual(outputs, outputs, units=1, is_last=is_top))

    def forward(self, values: Float[torch.Tensor, "n inputs height width"]) -> torch.Tensor:
        """Values of `outputs` channels on the same grid."""
        down = self.down(values)
        return self.up(torch.cat([down, self.below(down)], dim=1))


class _Residual(nn.Module):
    """Convolutions with instance norm and PReLU, and a shortcut beside them: a convolution where sizes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, units: int = 2, is_last: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for unit in range(units):
            first = (inputs, stride) if unit == 0 else (outputs, 1)
            layers += [nn.Conv2d(first[0], outputs, 3, stride=first[1], padding=1), *_finish(outputs)]
        self.units = nn.Sequential(*(layers[:1] if is_last else layers))  # logits leave without norm and activation
        self.shortcut = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        elif inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, values: Float[torch.Tensor, "n inputs height width"]) -> torch.Tensor:
        """The sum of both ways."""
        return self.units(values) + self.shortcut(values)


def _finish(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(width), nn.PReLU()
