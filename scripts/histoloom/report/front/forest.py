"""Forest plots: where a mean and its interval lie on an axis that all rows of a table share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
MOST_TICKS = 5


@dataclass(frozen=True)
class ForestAxis:
    """An axis from `low` to `high` with round ticks; `at` places a value on it, in percent of its length."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Place of a value in percent, 0 at `low` and 100 at `high`."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def holds(self, value: float) -> bool:
        """Whether a value lies on it."""
        return self.low <= value <= self.high


def forest_axis(values: Sequence[float]) -> ForestAxis:
    """The shortest axis with round ends and at most six ticks that holds all values.

    >>> forest_axis([0.52, 0.71]).ticks
    (0.5, 0.55, 0.6, 0.65, 0.7, 0.75)
    """
    least, most = (min(values), max(values)) if values else (0.0, 1.0)
    step = next((s for s in STEPS if _steps(least, most, s) <= MOST_TICKS), STEPS[-1])
    first, count = math.floor(least / step + 1e-9), max(1, _steps(least, most, step))
    ticks = tuple(round((first + place) * step, 10) for place in range(count + 1))
    return ForestAxis(ticks[0], ticks[-1], ticks)


def _steps(least: float, most: float, step: float) -> int:
    return math.ceil(most / step - 1e-9) - math.floor(least / step + 1e-9)
