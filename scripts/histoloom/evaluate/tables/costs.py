"""What a model costs: seconds per area of tissue, memory, parameters and training time, measured when it predicted."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from histoloom.errors import InputError
from histoloom.prepared import read_table

COST_COLUMNS = (
    "dataset",
    "architecture",
    "kind",
    "seconds_per_mm2",  # empty where an image's mpp is unknown
    "seconds_per_megapixel",
    "peak_memory_mib",
    "parameters",
    "training_seconds",  # of the kept training alone: not those of other rounds, of parts or of tuning
    "device",  # what it was measured on: times of different ones say nothing of the models
)
UM2_PER_MM2 = PIXELS_PER_MEGAPIXEL = 1e6


@dataclass(frozen=True)
class Cost:
    """What predicting one fold took; None where it is unknown or does not apply."""

    seconds: float
    pixels: float
    mpp: float | None
    peak_memory_mib: float | None
    parameters: float | None
    device: str


def cost_rows(
    dataset: str, kinds: Mapping[str, str], costs: Sequence[Path], histories: Sequence[Path]
) -> Iterator[tuple]:
    """Rows of costs.csv, architectures in the order of `kinds`; those without a measurement have no row.

    Times per area are all seconds over all areas; memory and training time are medians over folds, the latter of
    the trainings in `histories` alone, so without those of rounds and tuning that came before. A path ends in
    <architecture>/fold<k>/cost.json or history.csv. Raises InputError for a damaged file and for parameters that
    differ between folds.
    """
    measured, trained = _by_architecture(costs), _by_architecture(histories)
    for architecture, kind in kinds.items():
        if paths := measured.get(architecture):
            trainings = [training_seconds(path) for path in trained.get(architecture, ())]
            yield (dataset, architecture, kind, *_numbers(paths, trainings))


def read_cost(path: Path) -> Cost:
    """Read cost.json; raises InputError for a value that is missing or makes no sense."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected the cost of a fold; predict it again") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: {type(values).__name__}; expected an object; predict this fold again")
    numbers = (
        _number(path, values, "seconds", may_lack=False),
        _number(path, values, "pixels", may_lack=False),
        _number(path, values, "mpp"),
        _number(path, values, "peak_memory_mib"),
        _number(path, values, "parameters", least=0.0),
    )
    return Cost(*numbers, str(values.get("device") or "unknown"))


def training_seconds(path: Path) -> float:
    """Seconds that all epochs of a history.csv took."""
    return math.fsum(float(row["seconds"] or "nan") for row in read_table(path))


def _by_architecture(paths: Sequence[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(path.parts[-3], []).append(path)
    return found


def _numbers(paths: Sequence[Path], trainings: Sequence[float]) -> tuple[float | int | str | None, ...]:
    folds = [read_cost(path) for path in paths]
    seconds = math.fsum(fold.seconds for fold in folds)
    has_mpp = all(fold.mpp for fold in folds)
    mm2 = math.fsum(fold.pixels * fold.mpp**2 for fold in folds) / UM2_PER_MM2 if has_mpp else None
    memory = [fold.peak_memory_mib for fold in folds if fold.peak_memory_mib is not None]
    return (
        round(seconds / mm2, 6) if mm2 else None,
        round(seconds / math.fsum(fold.pixels for fold in folds) * PIXELS_PER_MEGAPIXEL, 6),
        round(median(memory), 3) if memory else None,
        _parameters(paths, folds),
        round(median(trainings), 3) if trainings and not math.isnan(sum(trainings)) else None,
        ", ".join(sorted({fold.device for fold in folds})),
    )


def _parameters(paths: Sequence[Path], folds: Sequence[Cost]) -> int | None:
    for path, fold in zip(paths, folds, strict=True):
        if fold.parameters != folds[0].parameters:
            raise InputError(
                f"{path}: {_named(fold.parameters)} parameters; expected {_named(folds[0].parameters)} as in "
                f"{paths[0]}; predict both folds again"
            )
    return None if folds[0].parameters is None else int(folds[0].parameters)


def _named(parameters: float | None) -> str:
    return "no" if parameters is None else f"{parameters:.0f}"


def _number(
    path: Path, values: Mapping[str, Any], name: str, may_lack: bool = True, least: float = math.ulp(0.0)
) -> float | None:
    value = values.get(name)
    if value is None and may_lack:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        expected = "a number of 0 or more" if least == 0 else "a number above 0"
        raise InputError(f"{path}: {name} is {value!r}; expected {expected}; predict this fold again")
    return float(value)
