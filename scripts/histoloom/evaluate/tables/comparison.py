"""Which of two architectures is better, by how much and how sure: differences of the scores of the same images."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scores import ImageScores, columns, image_scores
from histoloom.evaluate.statistics.bootstrap import Estimate, Resampling, estimate, group_totals, mean_of_columns
from histoloom.evaluate.statistics.significance import holm, wilcoxon
from histoloom.evaluate.tables.summary import cells

COMPARISON_COLUMNS = (
    "dataset",
    "metric",
    "class",
    "first",
    "second",
    "difference",
    "low",
    "high",
    "images",
    "groups",
    "skipped",
    "p",  # Wilcoxon's signed-rank test over the groups' mean differences, two-sided
    "p_holm",  # the same, corrected for all pairs of this metric and class
)
SIGNIFICANT_DIGITS = 4  # of a p value, which may be far below any fixed number of decimals


def comparison_rows(
    counts: Sequence[Counts],
    baselines: Sequence[str],
    metrics: Sequence[str],
    classes: Sequence[str],
    resampling: Resampling,
    skipped: int = 0,
) -> Iterator[tuple]:
    """Rows of comparison.csv: every pair of models, then each model against each baseline."""
    for metric in metrics:
        scores = {part.architecture: image_scores(part, metric, classes, resampling) for part in counts}
        pairs = compared(list(scores), baselines)
        names = list(next(iter(scores.values())).values)
        found = {
            name: [paired_p(scores[first], scores[second], name, classes, resampling) for first, second in pairs]
            for name in names
        }
        corrected = {name: holm(p) for name, p in found.items()}
        for place, (first, second) in enumerate(pairs):
            for name in names:
                difference = paired_difference(scores[first], scores[second], name, classes, resampling)
                p = (p_cell(found[name][place]), p_cell(corrected[name][place]))
                yield (counts[0].dataset, metric, name, first, second, *cells(difference), skipped, *p)


def compared(architectures: Sequence[str], baselines: Sequence[str]) -> list[tuple[str, str]]:
    """Every pair of models in their order, then each model with each baseline.

    >>> compared(["unet", "otsu", "deeplab"], ["otsu"])
    [('unet', 'deeplab'), ('unet', 'otsu'), ('deeplab', 'otsu')]
    """
    models = [name for name in architectures if name not in baselines]
    return [*itertools.combinations(models, 2), *itertools.product(models, baselines)]


def paired_difference(
    first: ImageScores, second: ImageScores, name: str, classes: Sequence[str], resampling: Resampling
) -> Estimate:
    """Mean of first minus second over the images where both are defined; groups are resampled, pairs stay together."""
    return estimate(*image_differences(first, second, name, classes), resampling.weights)


def paired_p(
    first: ImageScores, second: ImageScores, name: str, classes: Sequence[str], resampling: Resampling
) -> float:
    """Two-sided p of Wilcoxon's test over groups, each with the mean difference of its images; NaN if none differs."""
    return wilcoxon(group_means(*image_differences(first, second, name, classes), len(resampling.groups)))


def image_differences(
    first: ImageScores, second: ImageScores, name: str, classes: Sequence[str]
) -> tuple[Float64[np.ndarray, "images columns"], Int64[np.ndarray, " images"]]:
    """First minus second of each image that both scored, NaN where either is undefined; and the images' groups."""
    _, at_first, at_second = np.intersect1d(first.names, second.names, assume_unique=True, return_indices=True)
    difference = columns(first, name, classes)[at_first] - columns(second, name, classes)[at_second]
    return difference, first.group[at_first]


def group_means(
    values: Float64[np.ndarray, "images columns"], group: Int64[np.ndarray, " images"], groups: int
) -> Float64[np.ndarray, "{groups}"]:
    """Mean of each group over its images, then over columns; NaN where a group has no value.

    >>> group_means(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1]), 3)
    array([ 2.,  5., nan])
    """
    return mean_of_columns(*group_totals(values, group, groups))


def p_cell(p: float) -> float | None:
    """A p value with four significant digits; None, an empty cell, for NaN.

    >>> p_cell(1.23456e-9)
    1.235e-09
    """
    return None if math.isnan(p) else float(f"{p:.{SIGNIFICANT_DIGITS}g}")
