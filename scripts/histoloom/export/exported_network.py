"""A trained network as a program of its own, in which nothing of histoloom is left: RGB in, probabilities out."""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import nn

from histoloom.errors import InputError
from histoloom.export.unsupported import REASONS
from histoloom.networks import SIDES, AnySize, Standardised
from histoloom.targets import Outputs

LEAST_SIDE_PX = 2 * SIDES  # a program whose sides may be 32 px would be one for these alone: 1 is no free size
LARGEST_SIDE_PX = 1 << 16
LARGEST_BATCH = 1 << 16
EXAMPLE = (2, 3, 2 * LEAST_SIDE_PX, 3 * LEAST_SIDE_PX)  # sides that differ, so that none is taken for the other


class ExportedNetwork(nn.Module):
    """A network that takes RGB as it stands in a file, and gives what people ask for.

    Sides are multiples of 32. With `is_joined` the output is one tensor, probabilities then instance maps; else it is
    one or two.
    """

    def __init__(self, network: nn.Module, outputs: Outputs, *, is_joined: bool) -> None:
        super().__init__()
        self.network, self.outputs, self.is_joined = _without_padding(network), outputs, is_joined

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Class probabilities that sum to one, and the maps of a network that has them; `images` are 0 to 255."""
        output = self.network(images / 127.5 - 1)
        found = [self.outputs.class_probabilities(output)]
        if self.outputs.has_maps:
            found.append(self.outputs.instance_maps(output))
        return torch.cat(found, dim=1) if self.is_joined else tuple(found)


def exported_program(
    network: nn.Module, outputs: Outputs, architecture: str, *, is_joined: bool
) -> torch.export.ExportedProgram:
    """The network in eval mode as a program for any batch and any sides of at least 64 px that are multiples of 32.

    Raises InputError for a network whose steps hang on its input's size in a way that torch.export cannot follow.
    """
    if architecture in REASONS:
        raise InputError(
            f"architecture {architecture}: {REASONS[architecture]}; expected another for onnx and monai_bundle; "
            "export weights"
        )
    module = ExportedNetwork(network, outputs, is_joined=is_joined).eval()
    batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    rows, columns = (
        torch.export.Dim(name, min=LEAST_SIDE_PX // SIDES, max=LARGEST_SIDE_PX // SIDES) for name in ("rows", "columns")
    )
    shapes = {"images": {0: batch, 2: SIDES * rows, 3: SIDES * columns}}
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(module, (torch.zeros(EXAMPLE),), dynamic_shapes=shapes)
    except Exception as error:  # torch.export raises a dozen kinds
        raise InputError(
            f"architecture {architecture}: cannot be exported with free sizes ({first_line(error)});\n"
            "expected a network whose steps do not hang on the numbers in its input or on one size of it;\n"
            "export weights, or take an architecture of docs/export.md"
        ) from error


def first_line(error: BaseException) -> str:
    """What an exporter says is wrong, without the pages that follow."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]:.200}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep exporters' warnings about their own insides to themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _without_padding(network: nn.Module) -> nn.Module:
    # Padding hangs on the size; who runs the program pads, or is given whole tiles.
    network = copy.deepcopy(network)
    if isinstance(network, AnySize):
        return network.network
    assert isinstance(network, Standardised), type(network)
    network.network = network.network.network
    return network
