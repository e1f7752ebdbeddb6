"""How much scores differ between folds, that is between trainings: kept apart from how much cases differ."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64

from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scores import ImageScores, class_scores, columns, fact
from histoloom.evaluate.tables.comparison import group_means
from histoloom.evaluate.tables.summary import cell

SPREAD_COLUMNS = ("dataset", "architecture", "kind", "metric", "class", "folds", "mean", "sd", "least", "most")


def spread_rows(counts: Counts, kind: str, metrics: Sequence[str], classes: Sequence[str]) -> Iterator[tuple]:
    """Rows of fold_spread.csv of one architecture: of each metric and class, the spread of the folds' means."""
    for metric in metrics:
        for name, means in fold_means(counts, metric, classes).items():
            row = (counts.dataset, counts.architecture, kind, metric, name)
            yield (*row, int(np.sum(~np.isnan(means))), *(cell(each) for each in spread(means)))


def fold_means(counts: Counts, metric: str, classes: Sequence[str]) -> dict[str, Float64[np.ndarray, " folds"]]:
    """Mean over the images of each fold by class name, folds in their order; NaN where a fold has no value."""
    folds, fold = np.unique(counts.images["fold"].to_numpy(np.int64), return_inverse=True)
    values = class_scores(metric, counts.facts[fact(metric)], classes)
    scores = ImageScores(tuple(counts.images["name"]), fold, tuple(counts.images["stratum"]), values)
    return {name: group_means(columns(scores, name, classes), fold, len(folds)) for name in values}


def spread(means: Float64[np.ndarray, " folds"]) -> tuple[float, float, float, float]:
    """Mean, standard deviation (n - 1 in the denominator), least and most of the folds that have a value.

    Without a value all are NaN; with one alone the standard deviation is.

    >>> spread(np.array([0.5, 0.75, np.nan, 1.0]))
    (0.75, 0.25, 0.5, 1.0)
    """
    defined = means[~np.isnan(means)]
    if not defined.size:
        return np.nan, np.nan, np.nan, np.nan
    deviation = float(defined.std(ddof=1)) if defined.size > 1 else np.nan
    return float(defined.mean()), deviation, float(defined.min()), float(defined.max())
