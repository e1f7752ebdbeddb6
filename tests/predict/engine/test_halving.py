"""Where the memory does not suffice for a batch of tiles, smaller parts of it give the same bits, and it is said."""

import numpy as np
import pytest
import torch
from torch import nn

from histoloom.predict.engine.halving import Halving
from tests.predict.engine.engine_case import made_engine, made_network, noise, swept

# The words of torch's two allocators, of a GPU and of a CPU.
SHORTAGES = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
)


class Greedy(nn.Module):
    """A network for which the memory suffices up to so many tiles at once."""

    def __init__(self, network: nn.Module, most: int, shortage: Exception) -> None:
        super().__init__()
        self.network, self.most, self.shortage, self.seen = network, most, shortage, []

    def __deepcopy__(self, _: dict) -> "Greedy":  # the engine computes with a copy of the network
        return self

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        if len(tiles) > self.most:
            raise self.shortage
        self.seen.append(len(tiles))
        return self.network(tiles)


@pytest.mark.parametrize("shortage", SHORTAGES, ids=["gpu", "cpu"])
@pytest.mark.parametrize(("most", "halvings"), [(4, 1), (3, 2)])
def test_a_sweep_goes_on_with_half_as_many_tiles_and_gives_the_same_bits(most, halvings, shortage):
    image = noise(70, 45)
    undisturbed = made_engine(made_network(), batch_size=9)
    greedy = Greedy(made_network(), 9, shortage)
    halved = made_engine(greedy, batch_size=9)
    greedy.most, greedy.seen = most, []  # while the engine was made ready it had more
    assert np.array_equal(swept(halved, image), swept(undisturbed, image))
    assert undisturbed.memory_warning == ""
    at_once = 9 // 2**halvings
    assert set(greedy.seen) == {at_once}  # no smaller rest, which might be rounded otherwise
    assert halved.memory_warning.startswith(
        f"warning: predict.batch_size 9: memory ran out {halvings} time(s), so {at_once} tile(s) were computed at once"
    )


@pytest.mark.parametrize("count", [1, 2, 5, 8, 9])
def test_every_tile_is_computed_once_and_keeps_its_place(count):
    def values(tiles):
        if len(tiles) > 3:
            raise MemoryError
        return 2 * tiles

    tiles = torch.arange(count * 3, dtype=torch.float32).reshape(count, 3, 1, 1)
    assert torch.equal(Halving(values, 9)(tiles), 2 * tiles)


def test_where_a_single_tile_is_too_much_the_error_stays():
    greedy = Greedy(made_network(), 9, SHORTAGES[0])
    engine = made_engine(greedy, batch_size=4)
    greedy.most = 0
    with pytest.raises(torch.OutOfMemoryError):
        swept(engine, noise(30, 30))


def test_other_errors_halve_nothing():
    def values(_):
        raise RuntimeError("sizes differ")

    halving = Halving(values, 8)
    with pytest.raises(RuntimeError, match="sizes differ"):
        halving(torch.zeros(8, 3, 4, 4))
    assert (halving.halvings, halving.at_once) == (0, 8)
