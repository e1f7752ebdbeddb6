"""Run on two ranks by test_shared_learning: each architecture's gradients over both are those of one process."""

import copy
import sys
import time

import torch
from torch import nn

from histoloom.train.distributed import Ranks, gathered, joined, over_ranks, with_shared_statistics
from tests.architectures.architecture_case import DISTINCT, OUTPUTS, SMALLER_SIDES_PX, built, finest, tiles

ALONE = Ranks(0, 1, torch.device("cpu"))
TOLERANCE = 1e-9  # of the gradients, in relation to their size
# Layers that draw anew in each process, by the start of their names.
RANDOM = ("Dropout", "DropPath", "StochasticDepth")


def main() -> None:
    # In float64 throughout, also where a norm widens what it takes by float(). In float32 another rounding of a pixel
    # decides anew which of two is the larger, and changes the gradients of deep networks by up to some percent.
    torch.Tensor.float = torch.Tensor.double
    with joined(threads=1) as ranks:
        assert ranks.world == 2, ranks
        for name in sys.argv[1:] or DISTINCT:
            began = time.process_time()
            compare(name, ranks)
            print(f"{name}: equal, {time.process_time() - began:.1f} s", file=sys.stderr)
    print("all equal", file=sys.stderr)


def compare(name: str, ranks: Ranks) -> None:
    network = without_chance(built(name).train()).double()
    images = tiles(name, 2 if name in SMALLER_SIDES_PX else 4).double()
    towards = torch.randn(len(images), OUTPUTS.count, *images.shape[2:], generator=torch.Generator().manual_seed(1))
    alone = gradient(copy.deepcopy(network), images, towards, ALONE) if ranks.is_first else None
    together = gradient(network, images[ranks.rank :: 2], towards[ranks.rank :: 2], ranks)
    both = gathered(together, ranks)
    assert torch.equal(both[0], both[1]), f"{name}: the ranks have different gradients"
    if alone is not None:
        error = float((together - alone).norm() / alone.norm())
        assert error < TOLERANCE, f"{name}: relative error {error}"


def gradient(network: nn.Module, images: torch.Tensor, towards: torch.Tensor, ranks: Ranks) -> torch.Tensor:
    """All gradients in one row, of the mean over images of a product with the output."""
    parallel = over_ranks(with_shared_statistics(network, ranks), ranks)
    (finest(parallel(images)) * towards).mean().backward()
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


def without_chance(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if type(module).__name__.startswith(RANDOM):
            module.eval()
        if hasattr(module, "drop_connect_rate"):  # of MONAI's EfficientNet, a function and no layer
            module.drop_connect_rate = 0
    return network


if __name__ == "__main__":
    main()
