"""How well settings of regions do on validation images: the same predictions, smoothed and cleaned in several ways."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from histoloom.class_names import ALL
from histoloom.errors import InputError
from histoloom.evaluate.counting.confusion import confusion_matrix
from histoloom.evaluate.counting.facts import CONFUSION
from histoloom.evaluate.scores import class_scores, fact
from histoloom.formats.images import read_mask
from histoloom.plugins import suggestion
from histoloom.predict.probabilities import read_probabilities
from histoloom.predict.regions.class_map import class_regions
from histoloom.predict.regions.settings import RegionSettings, plan_regions
from histoloom.prepared import IndexRow


def tried_settings(configured: RegionSettings, tried: Iterable[str]) -> list[RegionSettings]:
    """The configured settings, then those to compare with them, each as the text of a dict of what is not off.

    The unit is the configured one where a dict names none. Raises InputError for what is no dict of settings.

    >>> settings = RegionSettings("none", 0.0, 0.0, 0.0, 0.0, 0.0, "px")
    >>> tried_settings(settings, ["{'opening': 2}"])[1].opening
    2.0
    """
    off = RegionSettings("none", 0.0, 0.0, 0.0, 0.0, 0.0, configured.unit)
    return [configured, *(replace(off, **_values(text)) for text in tried)]


def confusions(
    row: IndexRow, probabilities: Path, class_count: int, settings: Sequence[RegionSettings], min_area_px: int
) -> Int64[np.ndarray, "settings classes classes"]:
    """Annotated pixels of one image by true and predicted class, for each of the settings.

    `probabilities` is the folder of predictions. Raises InputError for a missing one, and for one of another size.
    """
    path = probabilities / f"{row.name}.npy"
    predicted, truth = read_probabilities(path, class_count), read_mask(row.mask)
    if predicted.shape[:2] != truth.shape:
        raise InputError(f"{path}: {predicted.shape[:2]} pixels; expected {truth.shape} as {row.mask}; predict again")
    plans = [plan_regions(each, row.mpp, min_area_px, row.name) for each in settings]
    return np.stack([confusion_matrix(truth, class_regions(predicted, plan), class_count) for plan in plans])


def mean_scores(
    metrics: Sequence[str],
    counts: Int64[np.ndarray, "images settings classes classes"],
    classes: Sequence[str],
    of_class: str,
) -> list[list[float | None]]:
    """For each of the settings the score by each metric: the mean over images, undefined ones left out.

    `of_class` is a class, "foreground" or "mean" (see evaluate.scores); a metric without classes has its one value.
    None where no image has a score. Raises InputError for a metric of nuclei and for an unknown class.
    """
    for metric in metrics:
        if fact(metric) != CONFUSION:
            raise InputError(f"metric '{metric}': is one of nuclei; expected one of pixels, such as dice or iou")
    return [[_mean(metric, each, classes, of_class) for metric in metrics] for each in counts.swapaxes(0, 1)]


def _mean(
    metric: str, counts: Int64[np.ndarray, "images classes classes"], classes: Sequence[str], of_class: str
) -> float | None:
    scores = class_scores(metric, counts, classes)
    name = ALL if ALL in scores else of_class
    if name not in scores:
        raise InputError(f"score class '{name}': unknown; {suggestion(name, list(scores))}")
    defined = scores[name][~np.isnan(scores[name])]
    return float(defined.mean()) if defined.size else None


def _values(text: str) -> Mapping[str, Any]:
    types = {each.name: each.type for each in fields(RegionSettings)}
    try:
        given = dict(ast.literal_eval(text))
        return {name: types[name](value) for name, value in given.items()}
    except KeyError as error:
        name = str(error.args[0])
        raise InputError(f"predict.compare: unknown '{name}'; {suggestion(name, list(types))}") from error
    except (ValueError, SyntaxError, TypeError) as error:
        raise InputError(
            f"predict.compare: {text}; expected settings of predict.regions, such as "
            "{'kernel': 'mean', 'kernel_size': 2}"
        ) from error
