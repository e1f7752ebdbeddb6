"""Which model comes first, and how far apart ranks must be to mean something: over groups, with all models at once."""

import math
from collections.abc import Iterator, Sequence
from functools import reduce

import numpy as np
from jaxtyping import Float64, Int64
from scipy import stats

from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.direction import is_lower_better
from histoloom.evaluate.scores import ImageScores, columns, image_scores
from histoloom.evaluate.statistics.bootstrap import Resampling, group_totals, mean_of_columns
from histoloom.evaluate.statistics.significance import DECIMALS
from histoloom.evaluate.tables.comparison import group_means
from histoloom.evaluate.tables.summary import cell

RANKING_COLUMNS = (
    "dataset",
    "architecture",
    "kind",
    "metric",
    "class",
    "probability_best",  # share of resamples of the groups in which its mean is the best one
    "mean_rank",  # over groups, 1 is best
    "critical_difference",  # of mean ranks; models closer than this cannot be told apart
    "groups",
)
LEVEL = 0.05


def ranking_rows(
    models: Sequence[Counts], metrics: Sequence[str], classes: Sequence[str], resampling: Resampling
) -> Iterator[tuple]:
    """Rows of ranking.csv: each model among `models`, which leaves baselines and annotators out."""
    for metric in metrics:
        scores = [image_scores(part, metric, classes, resampling) for part in models]
        for name in scores[0].values if scores else ():
            values, group = shared_values(scores, name, classes)
            better = -values if is_lower_better(metric) else values
            chances = probability_best(better, group, resampling.weights)
            by_group = np.stack([group_means(each, group, len(resampling.groups)) for each in better])
            ranks, groups = mean_ranks(by_group)
            distance = cell(critical_difference(len(models), groups))
            for part, chance, rank in zip(models, chances, ranks, strict=True):
                row = (part.dataset, part.architecture, "model", metric, name)
                yield (*row, cell(chance), cell(rank), distance, groups)


def shared_values(
    scores: Sequence[ImageScores], name: str, classes: Sequence[str]
) -> tuple[Float64[np.ndarray, "models images columns"], Int64[np.ndarray, " images"]]:
    """Scores of the images that all models predicted, NaN in all where undefined in one; and the images' groups."""
    shared = reduce(np.intersect1d, [each.names for each in scores])
    places = [np.searchsorted(each.names, shared) for each in scores]  # names are sorted
    values = np.stack([columns(each, name, classes)[at] for each, at in zip(scores, places, strict=True)])
    return np.where(np.isnan(values).any(axis=0), np.nan, values), scores[0].group[places[0]]


def probability_best(
    values: Float64[np.ndarray, "models images columns"],
    group: Int64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples groups"],
) -> Float64[np.ndarray, " models"]:
    """Share of the resamples of groups in which a model's mean is highest; models that tie share one evenly.

    NaN with fewer than two groups, where nothing can be resampled, and where no resample is defined.
    """
    totals = [group_totals(each, group, weights.shape[1]) for each in values]
    if (totals[0][1] > 0).any(axis=1).sum() < 2:
        return np.full(len(values), np.nan)
    means = np.stack([mean_of_columns(weights @ sums, weights @ counts) for sums, counts in totals]).round(DECIMALS)
    defined = means[:, ~np.isnan(means[0])]
    is_best = defined == defined.max(axis=0, initial=-np.inf)
    return (is_best / is_best.sum(axis=0)).mean(axis=1) if defined.size else np.full(len(values), np.nan)


def mean_ranks(by_group: Float64[np.ndarray, "models groups"]) -> tuple[Float64[np.ndarray, " models"], int]:
    """Mean over groups of each model's rank, 1 for the highest value, ties sharing their mean rank; and the groups.

    Groups without a value are left out; without any other, ranks are NaN.
    Source: Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006.

    >>> ranks, groups = mean_ranks(np.array([[0.9, 0.5, np.nan], [0.8, 0.5, np.nan]]))
    >>> ranks.tolist(), groups
    ([1.25, 1.75], 2)
    """
    defined = by_group[:, ~np.isnan(by_group).any(axis=0)].round(DECIMALS)
    if not defined.size:
        return np.full(len(by_group), np.nan), 0
    return stats.rankdata(-defined, axis=0).mean(axis=1), defined.shape[1]


def critical_difference(models: int, groups: int) -> float:
    """Least difference of mean ranks that Nemenyi's test calls significant at 0.05; NaN for one model or no group.

    Source: Demšar 2006, equation (6): q sqrt(k (k + 1) / 6 N), q the studentised range over the root of 2.

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    if models < 2 or groups < 1:
        return math.nan
    quantile = stats.studentized_range.ppf(1 - LEVEL, models, math.inf) / math.sqrt(2)
    return float(quantile * math.sqrt(models * (models + 1) / (6 * groups)))
