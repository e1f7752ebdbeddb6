"""Scores of each stratum, such as a tissue: where a model is good, and where it is not."""

from collections.abc import Iterator, Sequence

import numpy as np

from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scores import ImageScores, columns, image_scores
from histoloom.evaluate.statistics.bootstrap import Estimate, Resampling, estimate
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
    of_image = np.array(scores.stratum, dtype=str)
    values = columns(scores, name, classes)
    strata = sorted(set(scores.stratum))
    return {
        stratum: estimate(np.where((of_image == stratum)[:, None], values, np.nan), scores.group, resampling.weights)
        for stratum in (strata if strata != [""] else [])
    }
