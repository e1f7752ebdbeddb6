"""Every architecture in a small form, and tiles to feed it: what the tests that all architectures share stand on."""

import contextlib
import copy
import io
from dataclasses import dataclass

import torch
from torch import nn

from histoloom import plugins
from histoloom.networks import build_network
from histoloom.targets import Outputs

OUTPUTS = Outputs(("background", "epithelial", "lymphocyte"), has_maps=True)
# Options for speed, where the plug-in has such; any_network needs a network to be one.
SMALL = {
    "any_network": {"path": "monai.networks.nets.UNet", "outputs_name": "out_channels", "arguments": (
        "spatial_dims=2", "in_channels=3", "channels=(16, 32, 64)", "strides=(2, 2)", "num_res_units=1",
    )},
    "fpn": {"encoder": "resnet18"},
    "hovernet": {"mode": "fast"},
    "inception_unet": {"width": 16},
    "refinenet": {"encoder": "resnet18", "width": 16},
    "segresnet": {"width": 8},
    "swin_unetr": {"width": 12},
    "unet": {"width": 16},
    "unet_resnet": {"encoder": "resnet18"},
    "unetplusplus": {"encoder": "resnet18"},
}  # fmt: skip
NAMES = plugins.names("architectures")
DISTINCT = [name for name in NAMES if name != "deeplabv3_resnet101"]  # which is 50 but for more of the same blocks
SIDE_PX = 64
SMALLER_SIDES_PX = {"hovernet": 32}  # it adds a margin of 48 pixels to each side and computes at full size


@dataclass(frozen=True)
class Architecture:
    """A small network in eval mode, shared by the tests of a file, and what was printed while it was built."""

    name: str
    network: nn.Module
    printed: str

    def to_train(self) -> nn.Module:
        """A copy in training mode, which a test may change."""
        return copy.deepcopy(self.network).train()


def built(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(name, SMALL.get(name, {}), OUTPUTS.count, has_maps=OUTPUTS.has_maps)


def built_and_watched(name: str) -> Architecture:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        network = built(name)
    return Architecture(name, network.eval(), printed.getvalue())


def tiles(name: str, count: int) -> torch.Tensor:
    """Noise in [-1, 1], the same in each call."""
    side = SMALLER_SIDES_PX.get(name, SIDE_PX)
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def finest(output: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output[0]
