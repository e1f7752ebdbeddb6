"""Which of two architectures is better, by how much and how sure: differences of the scores of the same images."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from histoloom.evaluate.bootstrap import Estimate, Resampling, estimate
from histoloom.evaluate.scores import ImageScores, columns, image_scores
from histoloom.evaluate.stored_counts import Counts
from histoloom.evaluate.summary import cells

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
)


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
        for first, second in compared(list(scores), baselines):
            for name in scores[first].values:
                found = paired_difference(scores[first], scores[second], name, classes, resampling)
                yield (counts[0].dataset, metric, name, first, second, *cells(found), skipped)


def compared(architectures: Sequence[str], baselines: Sequence[str]) -> list[tuple[str, str]]:
    """Every pair of models in their order, then each model with each baseline.

    >>> compared(["unet", "otsu", "deeplab"], ["otsu"])
    [('unet', 'deeplab'), ('unet', 'otsu'), ('deeplab', 'otsu')]
    """
    models = [name for name in architectures if name not in baselines]
    return [*itertools.combinations(models, 2), *itertools.product(models, baselines)]


def paired_difference(
    first: ImageScores,
    second: ImageScores,
    name: str,
    classes: Sequence[str],
    resampling: Resampling,
) -> Estimate:
    """Mean of first minus second over the images where both are defined; groups are resampled, pairs stay together."""
    _, at_first, at_second = np.intersect1d(first.names, second.names, assume_unique=True, return_indices=True)
    difference = columns(first, name, classes)[at_first] - columns(second, name, classes)[at_second]
    return estimate(difference, first.group[at_first], resampling.weights)
