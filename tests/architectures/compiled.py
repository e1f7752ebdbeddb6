"""Run by test_shared_compiled, where types are not checked: compiled networks give what they give uncompiled."""

import copy
import sys
import time

import torch
from torch import nn

from tests.architectures.architecture_case import DISTINCT, SMALLER_SIDES_PX, built, finest, tiles
from tests.architectures.on_two_ranks import without_chance

# One graph is what makes a network fast. These fall apart: MONAI's UpCat asks torch.jit for the kind of its input, and
# its SwinUNETR looks at sizes with numpy.
IN_PARTS = ("swin_unetr", "unet_efficientnet_b0")
# The graph of each is captured as always, but its operations run as they are: to make C++ of one takes a minute.
IN_FULL = ("unet_small",)


def main() -> None:
    torch.set_num_threads(1)
    for name in sys.argv[1:] or DISTINCT:
        began = time.process_time()
        compare(name, "inductor" if name in IN_FULL else "eager")
        print(f"{name}: equal, {time.process_time() - began:.1f} s", flush=True)


def compare(name: str, backend: str) -> None:
    """Outputs are equal but for rounding, and so are gradients where they are compiled."""
    network = without_chance(built(name).train())
    images = tiles(name, 1 if name in SMALLER_SIDES_PX else 2)
    gives = output_and_gradient if backend == "inductor" else output_alone
    expected = gives(copy.deepcopy(network), images)
    given = gives(torch.compile(network, backend=backend, fullgraph=name not in IN_PARTS), images)
    torch._dynamo.reset()
    errors = [float((one - other).norm() / one.norm()) for one, other in zip(expected, given, strict=True)]
    assert max(errors) < 1e-3, (name, errors)


def output_alone(network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor]:
    with torch.no_grad():
        return (finest(network(images)),)


def output_and_gradient(network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    output = finest(network(images))
    (output * torch.randn(output.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    return output.detach(), torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


if __name__ == "__main__":
    main()
