"""Scores of nuclei by their size: whether it is the small ones that are missed."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scores import group_numbers
from histoloom.evaluate.statistics.averaging import fold_weights
from histoloom.evaluate.statistics.bootstrap import Resampling, interval
from histoloom.evaluate.tables.summary import cell
from histoloom.plugins import load

SIZE_COLUMNS = ("dataset", "architecture", "kind", "metric", "size", "mean", "low", "high", "nuclei")
METRICS = ("pq", "dq", "sq")
TP, FN = 0, 2  # columns of the fact: true nuclei are those that were paired and those that were missed


def size_rows(counts: Counts, kind: str, resampling: Resampling) -> Iterator[tuple]:
    """Rows of sizes.csv of one architecture: all nuclei as one class, the counts of all images added up first.

    `nuclei` is the number of true nuclei of the size. The interval is by resampling groups; with one group it is empty.
    """
    shares, whole = fold_weights(counts.images)
    totals = group_sums(counts, counts.facts["sizes"] * shares[:, None, None], resampling)
    nuclei = totals[..., [TP, FN]].sum(axis=(0, 2)) / whole
    drawn = np.tensordot(resampling.weights, totals, axes=1)
    has_interval = counts.images["group"].nunique() > 1
    for metric in METRICS:
        score = load("metrics", metric)
        means, resampled = score(totals.sum(axis=0, keepdims=True))[0], score(drawn)
        for place, size in enumerate(counts.size_names):
            low, high = interval(resampled[:, place]) if has_interval else (np.nan, np.nan)
            numbers = (cell(means[place]), cell(low), cell(high), round(float(nuclei[place])))
            yield (counts.dataset, counts.architecture, kind, metric, size, *numbers)


def group_sums(
    counts: Counts, facts: Float64[np.ndarray, "images rows columns"], resampling: Resampling
) -> Float64[np.ndarray, "groups rows columns"]:
    """Add up the facts of the images of each group."""
    totals = np.zeros((len(resampling.groups), *facts.shape[1:]))
    np.add.at(totals, group_numbers(counts, resampling), facts)
    return totals
