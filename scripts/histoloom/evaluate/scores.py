"""From stored counts to scores: every metric, for each image and class, and for the classes merged or averaged."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Num

from histoloom.class_names import ALL, FOREGROUND, MEAN
from histoloom.evaluate.counting.confusion import foreground
from histoloom.evaluate.counting.facts import CONFUSION, FACTS
from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.statistics.bootstrap import Resampling, group_totals
from histoloom.plugins import load


@dataclass(frozen=True)
class ImageScores:
    """One metric of one architecture by class name: one value for each image, its mean over the folds that tested it.

    `group` is each image's group as a number from 0, `stratum` what it is of, such as the tissue.
    """

    names: tuple[str, ...]
    group: Int64[np.ndarray, " images"]
    stratum: tuple[str, ...]
    values: dict[str, Float64[np.ndarray, " images"]]


def fact(metric: str) -> str:
    """Which of evaluate.counting.facts.FACTS a metric takes: the name of its one positional parameter."""
    return next(iter(inspect.signature(load("metrics", metric)).parameters))


def definition(metric: str) -> str:
    """A metric's definition as tables print it: the first line of its docstring."""
    return (inspect.getdoc(load("metrics", metric)) or "").partition("\n")[0].rstrip(".")


def can_be_pooled(metric: str) -> bool:
    """Whether facts of several images may be added up before they are scored, as those of a ratio may."""
    is_a_ratio = getattr(inspect.getmodule(load("metrics", metric)), "IS_A_RATIO", True)
    return FACTS[fact(metric)].adds_up and is_a_ratio


def class_scores(
    metric: str, facts: Num[np.ndarray, "images rows columns"], classes: Sequence[str]
) -> dict[str, Float64[np.ndarray, " images"]]:
    """Score each image by class name, "foreground" and "mean" (or "all", for a metric that knows no classes) first.

    `facts` are those that `fact(metric)` names. "mean" is the image's mean over the foreground classes, undefined ones
    left out.
    """
    score = load("metrics", metric)
    by_class = score(facts)
    if fact(metric) != CONFUSION:
        head = {FOREGROUND: by_class[:, 0], MEAN: row_means(by_class[:, 1:])}
        return head | _named(by_class[:, 1:], classes[1:]) | head
    merged = score(foreground(facts))[:, -1]
    if by_class.shape[1] == 1:
        return {ALL: by_class[:, 0], FOREGROUND: merged}
    head = {FOREGROUND: merged, MEAN: row_means(by_class[:, 1:])}
    return head | _named(by_class, classes) | head  # merged scores come first and are not overwritten


def image_scores(counts: Counts, metric: str, classes: Sequence[str], resampling: Resampling) -> ImageScores:
    """Score one architecture image by image; an image tested in several folds gets the mean of its scores."""
    return by_image(counts, class_scores(metric, counts.facts[fact(metric)], classes), resampling)


def by_image(
    counts: Counts, values: Mapping[str, Float64[np.ndarray, " entries"]], resampling: Resampling
) -> ImageScores:
    """Bring values of the entries of `counts`, of which an image has one for each fold, to one for each image."""
    names, first, image = np.unique(counts.images["name"].to_numpy(str), return_index=True, return_inverse=True)
    sums, defined = group_totals(np.stack(list(values.values()), axis=1), image, len(names))
    means = np.where(defined > 0, sums / np.maximum(defined, 1), np.nan)
    return ImageScores(
        names=tuple(names.tolist()),
        group=group_numbers(counts, resampling)[first],
        stratum=tuple(counts.images["stratum"].iloc[first]),
        values=_named(means, list(values)),
    )


def group_numbers(counts: Counts, resampling: Resampling) -> Int64[np.ndarray, " images"]:
    """The place of each image's group among all groups of the dataset."""
    return np.searchsorted(resampling.groups, counts.images["group"].to_numpy(str))


def columns(scores: ImageScores, name: str, classes: Sequence[str]) -> Float64[np.ndarray, "images columns"]:
    """The values whose mean is the score of a class; for "mean" those of every foreground class, a column each."""
    return np.stack([scores.values[each] for each in (classes[1:] if name == MEAN else [name])], axis=1)


def _named(values: Float64[np.ndarray, "images columns"], names: Sequence[str]) -> dict[str, np.ndarray]:
    return dict(zip(names, values.T, strict=True))


def row_means(values: Float64[np.ndarray, "images columns"]) -> Float64[np.ndarray, " images"]:
    """Mean of each row, undefined values left out; NaN where a row has no other."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    return np.where(count > 0, np.where(defined, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
