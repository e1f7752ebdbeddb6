"""From the two sides to stored facts: each image of the truth against its prediction, as the evaluate rule counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from histoloom.errors import InputError
from histoloom.evaluate.counting.image_counts import (
    CountSettings,
    count_arrays,
    distance_unit,
    length_names,
    size_names,
)
from histoloom.evaluate.counting.stored_counts import IMAGE_COLUMNS, Counts
from histoloom.evaluate.scoring.known_images import Known
from histoloom.evaluate.scoring.listing import paired
from histoloom.evaluate.scoring.maps import Maps, as_prediction, as_truth, nothing
from histoloom.evaluate.scoring.sides import Read, Side


@dataclass(frozen=True)
class Lengths:
    """Lengths that decide what counts as near, in µm, and the ranges of nucleus areas, in µm²."""

    boundary_tolerance_um: float
    detection_radius_um: float
    nucleus_sizes_um2: tuple[float, ...]


def pairs_of(truth: Side, prediction: Side, allow_missing: bool = False) -> dict[str, str | None]:
    """The prediction of each image of the truth by name; two files alone belong together whatever they are called."""
    names = list(truth.images), list(prediction.images)
    if truth.path.is_file() and prediction.path.is_file() and len(names[0]) == len(names[1]) == 1:
        return {names[0][0]: names[1][0]}
    is_numbered = truth.is_numbered or prediction.is_numbered
    return paired(*names, is_numbered, allow_missing, prediction.path)


def count_side(
    truth: Side,
    prediction: Side,
    names: Iterable[tuple[str, str | None]],
    known: Mapping[str, Known],
    labels: tuple[str, str],
    n_classes: int,
    facts: Sequence[str],
    lengths: Lengths,
) -> Counts:
    """Count each image of `names` (truth, prediction; None for none), one in memory at a time.

    `labels` are the names of dataset and model. An image without prediction counts as one in which nothing was found.
    Raises InputError for what cannot be read or compared.
    """
    unit = distance_unit([known[name].mpp for name in known])
    rows, found = [], []
    for name, partner in names:
        true, predicted = _read(truth.images[name], prediction, partner, n_classes, truth.needs_size)
        settings = CountSettings(
            unit, known[name].mpp, lengths.boundary_tolerance_um, lengths.detection_radius_um, lengths.nucleus_sizes_um2
        )
        _check_sizes(f"{prediction.path}, image '{partner or name}'", predicted, true)
        try:
            counted = count_arrays(as_truth(true), as_prediction(predicted, n_classes), n_classes, facts, settings)
        except ValueError as error:
            raise InputError(
                f"{truth.path}, image '{name}', against {prediction.path}: {error}; mend the files, or say with "
                "--truth-format and --prediction-format what they are"
            ) from error
        found.append(counted)
        rows.append((0, name, known[name].group, known[name].stratum))
    images = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS))
    stacked = {fact: np.stack([each[fact] for each in found]) for fact in found[0]}
    near = length_names([lengths.boundary_tolerance_um, lengths.detection_radius_um], unit)
    return Counts(*labels, images, stacked, unit, size_names(lengths.nucleus_sizes_um2, unit), near)


def _read(
    read: Read, prediction: Side, partner: str | None, n_classes: int, truth_needs_size: bool
) -> tuple[Maps, Maps]:
    """Truth and prediction of one image; the one whose file has no size is read second, in the size of the other."""
    if partner is None:
        true = read(None)
        return true, nothing(true.size, n_classes, prediction.has_nuclei, prediction.has_probabilities)
    if truth_needs_size:
        predicted = prediction.images[partner](None)
        return read(predicted.size), predicted
    true = read(None)
    return true, prediction.images[partner](true.size)


def _check_sizes(where: str, predicted: Maps, true: Maps) -> None:
    if predicted.size != true.size:
        is_turned = predicted.size == true.size[::-1]
        cure = "looks transposed: exchange rows and columns" if is_turned else "bring both to one grid"
        raise InputError(
            f"{where}: {predicted.size[0]} x {predicted.size[1]} px; expected {true.size[0]} x {true.size[1]} px "
            f"(height x width) as the truth; {cure}"
        )
