"""The eight ways to lay a square tile: turned and mirrored; values turned back, and instance maps with them.

Source: Wang et al. 2019, "Aleatoric uncertainty estimation with test-time augmentation for medical image segmentation".
"""

import itertools
from dataclasses import dataclass

import torch
from jaxtyping import Float

ROWS, COLUMNS = -2, -1  # axes of a tensor of tiles


@dataclass(frozen=True)
class Turn:
    """A tile with rows and columns exchanged or not, then mirrored along some of its axes."""

    is_transposed: bool
    mirrored: tuple[int, ...]  # among ROWS and COLUMNS

    def of(self, tiles: Float[torch.Tensor, "n channels side side"]) -> Float[torch.Tensor, "n channels side side"]:
        """Tiles laid this way, themselves where it is none."""
        turned = tiles.transpose(ROWS, COLUMNS) if self.is_transposed else tiles
        return turned.flip(self.mirrored) if self.mirrored else turned

    def undone(
        self, values: Float[torch.Tensor, "n channels side side"], class_count: int
    ) -> Float[torch.Tensor, "n channels side side"]:
        """What was predicted of tiles laid this way, on the tiles as they were.

        Channels from `class_count` on, if there are any, are the horizontal and the vertical instance map. They are the
        two parts of a direction: a mirror changes the sign of the one along it, and exchanged axes exchange the maps.
        """
        if self == AS_IT_IS:
            return values
        back = values.flip(self.mirrored) if self.mirrored else values
        back = back.transpose(ROWS, COLUMNS) if self.is_transposed else back
        classes, maps = back.split([class_count, values.shape[1] - class_count], dim=1)
        if not maps.shape[1]:
            return classes
        horizontal, vertical = (-1.0 if axis in self.mirrored else 1.0 for axis in (COLUMNS, ROWS))
        maps = maps * maps.new_tensor([horizontal, vertical]).view(2, 1, 1)
        return torch.cat([classes, maps.flip(1) if self.is_transposed else maps], dim=1)


AS_IT_IS = Turn(False, ())
EVERY = tuple(
    Turn(is_transposed, mirrored)
    for is_transposed, mirrored in itertools.product((False, True), ((), (ROWS,), (COLUMNS,), (ROWS, COLUMNS)))
)
