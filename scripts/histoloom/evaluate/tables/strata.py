"""Scores of each stratum, such as a tissue: where a model is good, and where it is not."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scores import ImageScores, columns, image_scores
from histoloom.evaluate.statistics.bootstrap import Estimate, Resampling, group_totals, interval, mean_of_columns
from histoloom.evaluate.tables.summary import cells

STRATA_COLUMNS = (
    "dataset",
    "architecture",
    "kind",
    "metric",
    "class",
    "stratum",
    "mean",
    "low",
    "high",
    "images",
    "groups",
)


def strata_rows(
    counts: Counts, kind: str, metrics: Sequence[str], classes: Sequence[str], resampling: Resampling
) -> Iterator[tuple]:
    """Rows of strata.csv of one architecture, as means over images; none where the dataset has no strata."""
    for metric in metrics:
        scores = image_scores(counts, metric, classes, resampling)
        for name in scores.values:
            for stratum, found in stratum_means(scores, name, classes, resampling).items():
                yield (counts.dataset, counts.architecture, kind, metric, name, stratum, *cells(found))


def stratum_means(
    scores: ImageScores, name: str, classes: Sequence[str], resampling: Resampling
) -> dict[str, Estimate]:
    """Mean of each stratum by its name; images that state none are in the one named ""; empty if all do so.

    All groups are resampled, not those of the stratum alone: how many it has of them is chance, too, and its draws are
    then those of every other table. A resample without any of its groups is left out.
    Source: Rao and Wu, Resampling inference with complex survey data, JASA 1988, for means of a part of the sample.
    """
    strata, of_image = np.unique(np.array(scores.stratum, dtype=str), return_inverse=True)
    if strata.tolist() == [""]:
        return {}
    values = columns(scores, name, classes)
    totals = _totals(values, scores.group * len(strata) + of_image, len(resampling.groups), len(strata))
    # One product for all strata: reading the weights takes longer than multiplying them.
    drawn = np.moveaxis(np.tensordot(resampling.weights, totals, axes=1), 2, 0)
    images = np.bincount(of_image, weights=(~np.isnan(values)).any(axis=1), minlength=len(strata))
    return {
        str(stratum): _estimate(totals[:, :, place], drawn[place], int(images[place]))
        for place, stratum in enumerate(strata)
    }


def _totals(
    values: Float64[np.ndarray, "images columns"], cell: Int64[np.ndarray, " images"], groups: int, strata: int
) -> Float64[np.ndarray, "{groups} 2 {strata} columns"]:
    """Sums of the defined values, and how many these are, of each group's images of each stratum (its cell)."""
    both = np.stack(group_totals(values, cell, groups * strata))
    return np.moveaxis(both.reshape(2, groups, strata, -1), 0, 1)


def _estimate(
    totals: Float64[np.ndarray, "groups 2 columns"], drawn: Float64[np.ndarray, "resamples 2 columns"], images: int
) -> Estimate:
    """What bootstrap.estimate gives of the images of one stratum, from totals instead of values."""
    groups = int((totals[:, 1] > 0).any(axis=1).sum())
    sums, counts = totals.sum(axis=0)
    mean = mean_of_columns(sums[None], counts[None])[0]
    low, high = interval(mean_of_columns(drawn[:, 0], drawn[:, 1])) if groups > 1 else (np.nan, np.nan)
    return Estimate(float(mean), low, high, images, groups)
