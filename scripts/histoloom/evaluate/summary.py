"""The tables of a dataset: scores of each image, and means with their intervals for each architecture."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64, Num

from histoloom.evaluate.bootstrap import Estimate, Resampling, estimate, interval
from histoloom.evaluate.scores import (
    ALL,
    FOREGROUND,
    MEAN,
    PAIRS,
    class_scores,
    columns,
    definition,
    fact,
    group_numbers,
    image_scores,
)
from histoloom.evaluate.stored_counts import Counts

SCORE_COLUMNS = ("dataset", "architecture", "fold", "name", "group", "stratum", "metric", "class", "score")
SUMMARY_COLUMNS = (
    "dataset",
    "architecture",
    "kind",
    "metric",
    "class",
    "mean",
    "low",
    "high",
    "images",
    "groups",
    "definition",
    "skipped",  # problems that left raw files out, the same in every row: what was scored is not all that was
    "diverged",  # folds whose training broke off, with spaces between: their scores are of the last good weights
)
POOLED = "_pooled"  # ending of a metric's name where counts were added up before dividing


def score_rows(counts: Counts, metrics: Sequence[str], classes: Sequence[str]) -> Iterator[tuple]:
    """Rows of scores.csv: each metric of each image, fold and class; None where undefined."""
    for metric in metrics:
        scores = class_scores(metric, getattr(counts, fact(metric)), classes)
        for row in counts.images.itertuples():
            image = (counts.dataset, counts.architecture, row.fold, row.name, row.group, row.stratum, metric)
            yield from ((*image, name, cell(values[row.Index])) for name, values in scores.items())


def summary_rows(
    counts: Counts,
    kind: str,
    metrics: Sequence[str],
    classes: Sequence[str],
    resampling: Resampling,
    skipped: int = 0,
    diverged: Sequence[int] = (),
) -> Iterator[tuple]:
    """Rows of summary.csv of one architecture: each metric as a mean over images, then pooled.

    `kind` is "model" or "baseline"; `skipped` counts problems that left raw files out; `diverged` are folds whose
    training broke off. With one group the interval is empty.
    """
    for metric in metrics:
        scores = image_scores(counts, metric, classes, resampling)
        means = {
            name: estimate(columns(scores, name, classes), scores.group, resampling.weights) for name in scores.values
        }
        for ending, found in (("", means), (POOLED, pooled(counts, metric, classes, resampling))):
            for name, result in found.items():
                yield (
                    counts.dataset,
                    counts.architecture,
                    kind,
                    metric + ending,
                    name,
                    *cells(result),
                    described(metric, name, bool(ending)),
                    skipped,
                    " ".join(map(str, diverged)),
                )


def pooled(
    counts: Counts,
    metric: str,
    classes: Sequence[str],
    resampling: Resampling,
) -> dict[str, Estimate]:
    """Score the counts of all images added up, by class name, with the interval from resampled groups."""
    facts = getattr(counts, fact(metric)) * _fold_weights(counts.images)[:, None, None]
    totals = np.zeros((len(resampling.groups), *facts.shape[1:]), facts.dtype)
    np.add.at(totals, group_numbers(counts, resampling), facts)
    means = class_scores(metric, totals.sum(axis=0, keepdims=True), classes)
    resampled = class_scores(metric, _resampled(totals, resampling.weights), classes)
    images, found = counts.images["name"].nunique(), counts.images["group"].nunique()
    return {
        name: Estimate(float(mean[0]), *(interval(resampled[name]) if found > 1 else (np.nan, np.nan)), images, found)
        for name, mean in means.items()
    }


def described(metric: str, name: str, is_pooled: bool) -> str:
    """One sentence for the definition column: the metric, the class and how images were averaged."""
    nuclei = fact(metric) == PAIRS
    of_class = {
        FOREGROUND: f"all nuclei as one class (b{metric.upper()})" if nuclei else "all classes but background merged",
        MEAN: "mean over the classes but background of the class means, undefined ones left out",
        ALL: "all classes",
    }.get(name, f"class {name}")
    averaging = "pooled: counts of all images added up first" if is_pooled else "image mean: over images where defined"
    return f"{definition(metric)}; {of_class}; {averaging}."


def cells(result: Estimate) -> tuple[float | int | None, ...]:
    """An estimate as the cells mean, low, high, images, groups of a table."""
    return cell(result.mean), cell(result.low), cell(result.high), result.images, result.groups


def cell(value: float) -> float | None:
    """Six decimals, more than any score here means; None, an empty cell, for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def _resampled(
    totals: Num[np.ndarray, "groups rows columns"], weights: Float64[np.ndarray, "resamples groups"]
) -> Num[np.ndarray, "resamples rows columns"]:
    sums = np.tensordot(weights, totals.astype(np.float64), axes=1)
    # Whole numbers below 2^53 stay exact in the product.
    return np.rint(sums).astype(totals.dtype) if np.issubdtype(totals.dtype, np.integer) else sums


def _fold_weights(images: pd.DataFrame) -> Int64[np.ndarray, " images"]:
    """Weights by which each image counts alike, however many folds tested it; whole, so that counts stay counts."""
    folds = images.groupby("name")["fold"].transform("size").to_numpy(np.int64)
    return np.lcm.reduce(folds) // folds
