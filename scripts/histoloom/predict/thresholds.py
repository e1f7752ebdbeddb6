"""Which options a post-processing is given: those of the config, or the best of several on the validation images."""

import ast
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.formats.whole import whole_text

KIND = "postprocessors"
AREAS = ("min_area_px", "min_marker_px")  # options that count pixels; others that end in _px are lengths
ODD = ("kernel_px",)  # the side of a window, 3 at least
MIN_AREA = "min_area_px"  # is tried like an option of the method, though it follows every method


@dataclass(frozen=True)
class Thresholds:
    """What postprocess.json holds: the options that post-processing is to use, and how they were come by.

    `score` is that of all nuclei of the `images` together, None where nothing was tuned; `reason` is a sentence.
    """

    method: str
    options: dict[str, Any]
    min_area_px: int
    tuned: bool
    metric: str
    score: float | None
    images: int
    reason: str


def configured_options(method: str, given: Mapping[str, Any], min_area_px: int) -> dict[str, Any]:
    """All options of a method, the given ones and the defaults of the others, and min_area_px.

    Raises InputError for an option that the method does not have, and for a value of another type than its default.
    """
    defaults = {name: ast.literal_eval(text) for name, text in plugins.options(KIND, method).items()}
    for name, value in given.items():
        _check_value("predict.method_options", defaults, name, value)
    return {**defaults, **given, MIN_AREA: min_area_px}


def candidates(options: Mapping[str, Any], tried: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All combinations of the values to try, each with the other options as they are.

    The order is that of the options' names, min_area_px last, and of the values as given. Raises InputError for names
    that are no options, and for what is not a list of values.

    >>> candidates({"edge": 0.4, "min_area_px": 9}, {"edge": [0.3, 0.5]})
    [{'edge': 0.3, 'min_area_px': 9}, {'edge': 0.5, 'min_area_px': 9}]
    """
    for name, values in tried.items():
        if not isinstance(values, list | tuple) or not values:
            raise InputError(f"predict.tune: {name} is {values!r}; expected a list of values, such as {name}: [1, 2]")
        for value in values:
            _check_value("predict.tune", options, name, value)
    names = sorted(tried, key=lambda name: (name == MIN_AREA, name))
    combinations = itertools.product(*(tried[name] for name in names))
    return [{**options, **dict(zip(names, values, strict=True))} for values in combinations]


def best_combination(
    scores: Float64[np.ndarray, " combinations"],
    combinations: Sequence[Mapping[str, Any]],
    configured: Mapping[str, Any],
) -> int:
    """The place of the highest score; of equals the configured options if they are among them, else the first.

    Undefined scores (NaN) are the lowest.
    """
    values = np.where(np.isnan(scores), -np.inf, scores)
    highest = np.flatnonzero(values == values.max()).tolist()
    return next((place for place in highest if combinations[place] == configured), highest[0])


def decided(
    method: str,
    metric: str,
    scores: Float64[np.ndarray, " combinations"],
    combinations: Sequence[Mapping[str, Any]],
    configured: Mapping[str, Any],
    images: int,
) -> Thresholds:
    """The combination with the best score over `images` validation images; the configured one where none has any."""
    if np.isnan(scores).all():
        return untuned(method, configured, metric, f"{metric} is undefined on the validation images")
    best = best_combination(scores, combinations, configured)
    options, score = combinations[best], float(scores[best])
    reason = f"best {metric} of {len(combinations)} combinations, over all nuclei of {images} validation images"
    return Thresholds(method, without_min_area(options), options[MIN_AREA], True, metric, score, images, reason)


def untuned(method: str, configured: Mapping[str, Any], metric: str, reason: str) -> Thresholds:
    """The configured options where nothing could or should be tuned, and why not."""
    return Thresholds(method, without_min_area(configured), configured[MIN_AREA], False, metric, None, 0, reason)


def read_thresholds(path: Path, method: str) -> Thresholds:
    """Read postprocess.json; InputError where it is missing, damaged, too large or of another method."""
    text = whole_text(path, "what tune_postprocess.py wrote")
    try:
        thresholds = Thresholds(**json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: {error}; expected what tune_postprocess.py wrote; run it again") from error
    if thresholds.method != method:
        raise InputError(f"{path}: options of {thresholds.method}; expected those of {method}; run the workflow again")
    return thresholds


def coarser(thresholds: Thresholds, downsample: int) -> Thresholds:
    """The same thresholds on a grid of `downsample` native pixels a side: a slide is predicted at working resolution.

    Lengths are divided by it and areas by its square, each rounded to a whole number, of windows to an odd one.

    >>> native = Thresholds("hover", {"edge": 0.4, "kernel_px": 21, "min_marker_px": 40}, 30, False, "pq", None, 0, "")
    >>> coarser(native, 2).options, coarser(native, 2).min_area_px
    ({'edge': 0.4, 'kernel_px': 11, 'min_marker_px': 10}, 8)
    """
    options = {name: _coarser(name, value, downsample) for name, value in thresholds.options.items()}
    return replace(thresholds, options=options, min_area_px=_coarser(MIN_AREA, thresholds.min_area_px, downsample))


def _coarser(name: str, value: Any, downsample: int) -> Any:
    if not name.endswith("_px") or downsample == 1:
        return value
    if name in AREAS:
        return round(value / downsample**2)
    scaled = max(1, round(value / downsample))
    return max(3, 2 * round((value / downsample - 1) / 2) + 1) if name in ODD else scaled


def without_min_area(combination: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are the method's own."""
    return {name: value for name, value in combination.items() if name != MIN_AREA}


def _check_value(setting: str, options: Mapping[str, Any], name: str, value: Any) -> None:
    if name not in options:
        raise InputError(f"{setting}: unknown option '{name}'; {plugins.suggestion(name, list(options))}")
    kind = type(options[name])
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise InputError(f"{setting}: {name} is {value!r}; expected a value of type {kind.__name__}, as its default")
