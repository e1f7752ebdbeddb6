"""Batches computed in smaller parts where the memory does not suffice for the whole, instead of giving up."""

from collections.abc import Callable

import torch
from jaxtyping import Float32

from histoloom.memory import is_lack_of_memory


class Halving:
    """`values` of a batch of tiles; each time memory runs out, half as many tiles are computed at once from then on.

    at_once: tiles that are computed together now; halvings: how often that was halved.
    On a CPU the networks tried give the same bits for two tiles or more at once, and round otherwise for a single one,
    where one byte in 50,000 of the stored probabilities changed by 1. On a GPU the library chooses by the size.
    """

    def __init__(self, values: Callable[[torch.Tensor], torch.Tensor], at_once: int) -> None:
        """Begin with `at_once` tiles."""
        self._values = values
        self.at_once, self.halvings = at_once, 0

    def __call__(self, tiles: Float32[torch.Tensor, "n 3 side side"]) -> Float32[torch.Tensor, "n channels side side"]:
        """Values of all tiles, in their order. Raises what `values` does where there is no memory for a single tile."""
        while True:
            try:
                return self._in_parts(tiles)
            except (MemoryError, RuntimeError) as error:
                if not is_lack_of_memory(error) or min(self.at_once, len(tiles)) == 1:
                    raise
            # Out of the handler, since the error's traceback keeps what was computed alive.
            self.at_once = min(self.at_once, len(tiles)) // 2
            self.halvings += 1
            if tiles.device.type == "cuda":
                torch.cuda.empty_cache()  # what was kept for batches of the size before

    def _in_parts(self, tiles: torch.Tensor) -> torch.Tensor:
        if len(tiles) <= self.at_once:
            return self._values(tiles)
        # All parts of one size, the last overlapping the one before it: a smaller rest might be rounded otherwise.
        rest = len(tiles) % self.at_once or self.at_once
        parts = [
            self._values(tiles[first : first + self.at_once]) for first in range(0, len(tiles) - rest, self.at_once)
        ]
        return torch.cat([*parts, self._values(tiles[-self.at_once :])[-rest:]])
