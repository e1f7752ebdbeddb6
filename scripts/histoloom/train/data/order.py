"""The order of tiles in an epoch: the same whatever the workers, the process or a resume."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from histoloom.errors import InputError
from histoloom.train.data.augmentation.tiles import sample_rng
from histoloom.train.data.sampling import drawn_order
from histoloom.train.distributed import Ranks


class Key(NamedTuple):
    """A tile of an epoch: its random numbers come from (epoch, draw), its tissue from the window of that number."""

    epoch: int
    draw: int
    window: int


@dataclass
class EpochBatches:
    """Which tiles make up each batch of an epoch on one rank, from any step on.

    The global batch is cut from an order that depends on (seed, epoch) alone; rank r takes every world-th tile of it.
    Each window comes `repeats` times, or by its odds where there are some. The rest that fills no batch is left out
    and comes up in other epochs; fewer tiles than one batch make one smaller batch.
    """

    windows: int
    repeats: int
    batch_size: int
    seed: int
    ranks: Ranks
    odds: Float64[np.ndarray, " windows"] | None = None
    epoch: int = field(default=0, init=False)
    first_step: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.ranks.share_of(self.batch_size)
        if self.samples < self.ranks.world:
            raise InputError(
                f"{self.samples} training windows for {self.ranks.world} processes; expected at least one each; "
                "lower train.processes_per_node or tiles.stride_px"
            )

    @property
    def samples(self) -> int:
        """Tiles that an epoch draws."""
        return self.windows * self.repeats

    @property
    def global_batch(self) -> int:
        """Tiles in each step over all processes."""
        return min(self.batch_size, self.samples // self.ranks.world * self.ranks.world)

    def __len__(self) -> int:
        return self.samples // self.global_batch

    def start_at(self, epoch: int, step: int) -> None:
        """Make the next iteration give the batches of `epoch` from `step` on."""
        self.epoch, self.first_step = epoch, step

    def __iter__(self) -> Iterator[list[Key]]:
        keys = self._keys()
        for step in range(self.first_step, len(self)):
            batch = keys[step * self.global_batch : (step + 1) * self.global_batch]
            yield batch[self.ranks.rank :: self.ranks.world]

    def _keys(self) -> list[Key]:
        rng = sample_rng(self.seed, self.epoch, self.samples)
        if self.odds is None:  # draw d is version d // windows of window d % windows
            return [Key(self.epoch, int(draw), int(draw) % self.windows) for draw in rng.permutation(self.samples)]
        chosen = drawn_order(rng, self.samples, self.odds)
        return [Key(self.epoch, draw, int(window)) for draw, window in enumerate(chosen)]
