"""Ways from the facts of images to one number of a dataset, with its interval; papers differ in which they take."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64, Num

from histoloom.class_names import FOREGROUND, MEAN
from histoloom.evaluate.counting.confusion import foreground
from histoloom.evaluate.counting.facts import ANY, CONFUSION, PAIRS
from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scores import (
    by_image,
    class_scores,
    columns,
    fact,
    group_numbers,
    image_scores,
    row_means,
)
from histoloom.evaluate.statistics.agreement import bias, concordance, lower_limit, r2, truth_mean, upper_limit
from histoloom.evaluate.statistics.bootstrap import Estimate, Resampling, estimate, interval
from histoloom.metrics.pq import pq

AGREEMENTS = {
    "truth": (truth_mean, "mean of the true values: for areas, the prevalence of the class"),
    "r2": (r2, "coefficient of determination of the truth's values by the predicted ones, in (-inf, 1]"),
    "concordance": (concordance, "Lin's concordance correlation of truth and prediction, in [-1, 1]"),
    "bias": (bias, "mean of predicted minus true values (Bland-Altman)"),
    "lower_limit": (lower_limit, "bias minus 1.96 standard deviations of the differences (Bland-Altman)"),
    "upper_limit": (upper_limit, "bias plus 1.96 standard deviations of the differences (Bland-Altman)"),
}
TISSUE_MEANS = {
    "pannuke": "a class left out of an image whose truth has no nucleus of it",
    "strict": "a class left out of an image only if neither truth nor prediction has a nucleus of it, 0 if one has",
}


def image_means(counts: Counts, metric: str, classes: Sequence[str], resampling: Resampling) -> dict[str, Estimate]:
    """Mean over images, by class name; the interval by resampling groups."""
    scores = image_scores(counts, metric, classes, resampling)
    return {name: estimate(columns(scores, name, classes), scores.group, resampling.weights) for name in scores.values}


def pooled(counts: Counts, metric: str, classes: Sequence[str], resampling: Resampling) -> dict[str, Estimate]:
    """Score the facts of all images added up, by class name, with the interval from resampled groups."""
    facts = counts.facts[fact(metric)] * fold_weights(counts.images)[0][:, None, None]
    totals = np.zeros((len(resampling.groups), *facts.shape[1:]), facts.dtype)
    np.add.at(totals, group_numbers(counts, resampling), facts)
    means = class_scores(metric, totals.sum(axis=0, keepdims=True), classes)
    resampled = class_scores(metric, _resampled(totals, resampling.weights), classes)
    images, found = counts.images["name"].nunique(), counts.images["group"].nunique()
    return {
        name: Estimate(float(mean[0]), *(interval(resampled[name]) if found > 1 else (np.nan, np.nan)), images, found)
        for name, mean in means.items()
    }


def tissue_means(counts: Counts, averaging: str, resampling: Resampling) -> dict[str, Estimate]:
    """Panoptic quality as PanNuke's authors average it, of all nuclei as one class and as the mean over classes.

    Each image's mean over classes, the mean of these over the images of a tissue (stratum), the mean of those over
    tissues. `averaging` is one of TISSUE_MEANS and says when a class is left out of an image.
    Source: Gamper et al., PanNuke dataset extension, insights and baselines, 2020.
    """
    pairs = counts.facts[PAIRS]
    by_class = pq(pairs)
    if averaging == "pannuke":
        by_class = np.where(pairs[..., 0] + pairs[..., 2] > 0, by_class, np.nan)
    values = {FOREGROUND: by_class[:, ANY], MEAN: row_means(by_class[:, 1:])}
    scores = by_image(counts, values, resampling)
    is_of = np.array(scores.stratum)[:, None] == np.unique(scores.stratum)
    return {
        name: estimate(np.where(is_of, each[:, None], np.nan), scores.group, resampling.weights)
        for name, each in scores.values.items()
    }


def agreements(
    counts: Counts, quantity: str, classes: Sequence[str], resampling: Resampling
) -> dict[str, dict[str, Estimate]]:
    """How well a quantity of images agrees with truth, by name of AGREEMENTS and class: over images, one number each.

    `quantity` is "area_fraction", a class's share of the annotated pixels, or "count", its number of nuclei.
    """
    true, predicted = (by_image(counts, each, resampling) for each in _quantities(counts, quantity, classes))
    weights = np.vstack([np.ones((1, len(true.names))), resampling.weights[:, true.group]])
    groups = len(np.unique(true.group))
    found: dict[str, dict[str, Estimate]] = {}
    for name, (agreement, _) in AGREEMENTS.items():
        for of_class, values in true.values.items():
            mean, *drawn = agreement(values, predicted.values[of_class], weights)
            ends = interval(np.array(drawn)) if groups > 1 else (np.nan, np.nan)
            images = int(np.sum(~np.isnan(values)))
            found.setdefault(name, {})[of_class] = Estimate(float(mean), *ends, images, groups)
    return found


def fold_weights(images: pd.DataFrame) -> tuple[Int64[np.ndarray, " images"], int]:
    """Weights by which each image counts alike, however many folds tested it, and what those of one image add up to.

    Whole, since panoptic quality takes counts.

    >>> fold_weights(pd.DataFrame({"name": ["a", "a", "b"], "fold": [0, 1, 0]}))
    (array([1, 1, 2]), 2)
    """
    folds = images.groupby("name")["fold"].transform("size").to_numpy(np.int64)
    whole = int(np.lcm.reduce(folds))
    return whole // folds, whole


def _quantities(
    counts: Counts, quantity: str, classes: Sequence[str]
) -> tuple[dict[str, Float64[np.ndarray, " entries"]], dict[str, Float64[np.ndarray, " entries"]]]:
    """The quantity in truth and in prediction, by class name."""
    if quantity == "count":
        tp, fp, fn, _ = np.moveaxis(counts.facts[PAIRS].astype(np.float64), -1, 0)
        sides = (tp + fn, tp + fp)
    else:
        confusion = counts.facts[CONFUSION]
        merged = foreground(confusion)
        annotated = confusion.sum(axis=(1, 2))[:, None]
        sides = (
            np.where(
                annotated > 0,
                np.hstack([merged.sum(axis=axis)[:, 1:], confusion.sum(axis=axis)[:, 1:]]) / np.maximum(annotated, 1),
                np.nan,
            )
            for axis in (2, 1)
        )
    names = [FOREGROUND, *(name for name in classes[1:] if name != FOREGROUND)]
    true, predicted = (dict(zip(names, each.T, strict=False)) for each in sides)
    return true, predicted


def _resampled(
    totals: Num[np.ndarray, "groups rows columns"], weights: Float64[np.ndarray, "resamples groups"]
) -> Num[np.ndarray, "resamples rows columns"]:
    sums = np.tensordot(weights, totals.astype(np.float64), axes=1)
    # Whole numbers below 2^53 stay exact in the product.
    return np.rint(sums).astype(totals.dtype) if np.issubdtype(totals.dtype, np.integer) else sums
