"""How well options of a post-processing do on validation images: their nuclei counted against the annotated ones."""

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int8, Int32, UInt8

from histoloom.errors import InputError
from histoloom.evaluate.counting.matching import ANY, pair_counts
from histoloom.formats.images import read_instances, read_mask
from histoloom.plugins import load
from histoloom.predict.postprocess import without_small
from histoloom.predict.probabilities import read_maps, read_probabilities
from histoloom.predict.thresholds import MIN_AREA, without_min_area
from histoloom.prepared import IndexRow


@dataclass(frozen=True)
class ValidationImage:
    """What is predicted of an annotated image, and what is true: class indices (255 = not annotated), nucleus ids."""

    probabilities: UInt8[np.ndarray, "height width classes"]
    maps: Int8[np.ndarray, "height width 2"] | None
    mask: UInt8[np.ndarray, "height width"]
    instances: Int32[np.ndarray, "height width"]


def why_untuned(rows: Sequence[IndexRow], probabilities: Path | None) -> str | None:
    """The reason for which there is nothing to tune on; `rows` are the validation images."""
    if not any(row.instances for row in rows):
        return "no validation image has annotated nuclei"
    if probabilities is None or not any(probabilities.glob("*.npy")):
        return "the validation images are not predicted"
    return None


def read_validation(
    rows: Iterable[IndexRow], probabilities: Path, maps: Path | None, class_count: int
) -> Iterator[ValidationImage]:
    """Read, one after the other, the images that have annotated nuclei, and what the two folders hold of them.

    Raises InputError for a missing prediction, and for one of another size than the image.
    """
    for row in (row for row in rows if row.instances is not None):
        path = probabilities / f"{row.name}.npy"
        predicted, truth = read_probabilities(path, class_count), read_instances(row.instances)
        if predicted.shape[:2] != truth.shape:
            raise InputError(
                f"{path}: {predicted.shape[:2]} pixels; expected {truth.shape} as {row.instances}; predict again"
            )
        yield ValidationImage(predicted, read_maps(maps, row.name) if maps else None, read_mask(row.mask), truth)


def count_pairs(
    image: ValidationImage, combinations: Iterable[Mapping[str, Any]], postprocess: Callable
) -> Float64[np.ndarray, "combinations 4"]:
    """True positives, false positives, false negatives and sum of IoU of all nuclei as one class, by combination.

    Combinations that follow each other and differ in min_area_px alone are post-processed once. Where nobody annotated
    nothing counts (see evaluate.counting.matching.pair_counts).
    """
    counts = []
    for options, group in itertools.groupby(combinations, without_min_area):
        nuclei = postprocess(image.probabilities, image.maps, **options)
        counts += [_pairs(image, without_small(nuclei, combination[MIN_AREA])) for combination in group]
    return np.stack(counts)


def pooled_scores(metric: str, counts: Float64[np.ndarray, "combinations 4"]) -> Float64[np.ndarray, " combinations"]:
    """Score each combination by a metric plug-in; NaN everywhere where truth has no nucleus at all.

    Without a true nucleus a metric could only praise what finds nothing.
    """
    true_positives, _, false_negatives, _ = counts.T
    scores = metric_of_nuclei(metric)(counts[:, None])[:, 0]
    return np.where(true_positives + false_negatives > 0, scores, np.nan)


def metric_of_nuclei(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A metric plug-in that is computed from pairs of nuclei; InputError for one of pixels."""
    metric = load("metrics", name)
    if list(inspect.signature(metric).parameters) != ["pairs"]:
        raise InputError(f"predict.tune_metric '{name}': a metric of pixels; expected one of nuclei, such as pq or dq")
    return metric


def _pairs(image: ValidationImage, nuclei: Int32[np.ndarray, "height width"]) -> Float64[np.ndarray, " 4"]:
    # The row of any class does not ask which class a nucleus has, so all are given the same.
    classes = dict.fromkeys(range(1, int(nuclei.max(initial=0)) + 1), 1)
    return pair_counts(image.instances, image.mask, nuclei, classes, image.probabilities.shape[2])[ANY]
