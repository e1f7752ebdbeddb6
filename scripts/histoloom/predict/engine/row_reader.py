"""Rows of pixels as tiles see them: mirrored beyond the image's borders, from rows that are read once, in order."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from histoloom.mirroring import mirrored_part
from histoloom.predict.engine.sweep_plan import Group, Layout, Mirror


class RowReader:
    """Gives what each group of a plan is shown; holds no more rows than later groups need again."""

    def __init__(self, layout: Layout, parts: Iterator[UInt8[np.ndarray, "_ _ 3"]]) -> None:
        """`parts` are the rows that the groups of the plan read, group by group."""
        self._layout, self._parts, self._mirror = layout, parts, Mirror(layout.height)
        self._held = np.empty((0, layout.width, 3), np.uint8)
        self._first = 0  # the image's row that is held first

    def shown(self, group: Group) -> UInt8[np.ndarray, "rows columns 3"]:
        """The rows group.shown, with all columns that a row of tiles sees."""
        if group.read is not None:
            self._hold(group.read[0])
        numbers = self._mirror.rows(*group.shown) - self._first
        is_plain = numbers[-1] - numbers[0] == len(numbers) - 1 and (np.diff(numbers) == 1).all()
        rows = self._held[numbers[0] : numbers[-1] + 1] if is_plain else self._held[numbers]
        passed = min(max(group.kept_from - self._first, 0), len(self._held))
        self._held, self._first = self._held[passed:], self._first + passed
        return mirrored_part(rows, 0, -self._layout.reach, len(rows), self._layout.canvas_columns)

    def _hold(self, first: int) -> None:
        part = next(self._parts)
        if first == self._first + len(self._held) and len(self._held):
            self._held = np.concatenate([self._held, part])
        else:
            self._held, self._first = part, first
