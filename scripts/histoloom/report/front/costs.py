"""What an architecture costs: time, memory, parameters, as costs.csv holds them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """One row of costs.csv; None where it is not known. Times of predicting, but for training_seconds."""

    architecture: str
    kind: str
    seconds_per_mm2: float | None
    seconds_per_megapixel: float | None
    peak_memory_mib: float | None
    parameters: float | None
    training_seconds: float | None


def cost_of(row: Mapping[str, str]) -> Cost:
    """Read one row of a table of costs."""
    names = ("seconds_per_mm2", "seconds_per_megapixel", "peak_memory_mib", "parameters", "training_seconds")
    values = [float(row[name] or "nan") for name in names]
    return Cost(row["architecture"], row["kind"], *(None if math.isnan(value) else value for value in values))
