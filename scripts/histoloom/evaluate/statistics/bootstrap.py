"""How sure a mean is: resampling whole groups (cases, patients, slides), since images of one group are alike."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Resampling:
    """The groups of a dataset, sorted, and how often each resample drew each of them.

    All scores of a dataset use the same draws, so that differences between architectures are paired.
    """

    groups: tuple[str, ...]
    weights: Float64[np.ndarray, "resamples groups"]


def resample(groups: Iterable[str], resamples: int, rng: np.random.Generator) -> Resampling:
    """Draw as many groups as there are, with replacement, `resamples` times.

    A resample's total over images is its row of weights times the totals of the groups: one product for all.
    Source: Field and Welsh, Bootstrapping clustered data, JRSS B 2007 (the cluster bootstrap).
    """
    names = tuple(sorted(set(groups)))
    shares = np.full(len(names), 1 / len(names))
    return Resampling(names, rng.multinomial(len(names), shares, size=resamples).astype(np.float64))


def interval(values: Float64[np.ndarray, " resamples"]) -> tuple[float, float]:
    """Percentile interval of 95 % of what the resamples gave; undefined ones are left out, NaN where none is defined.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 13.
    """
    defined = values[~np.isnan(values)]
    if not defined.size:
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def group_totals(
    values: Float64[np.ndarray, "images columns"], group: Int64[np.ndarray, " images"], groups: int
) -> tuple[Float64[np.ndarray, "{groups} columns"], Float64[np.ndarray, "{groups} columns"]]:
    """Sum the defined values of each group, and count them; `group` is each image's group as a number from 0."""
    defined = ~np.isnan(values)
    sums, counts = np.zeros((2, groups, values.shape[1]))
    np.add.at(sums, group, np.where(defined, values, 0.0))
    np.add.at(counts, group, defined)
    return sums, counts


def mean_of_columns(
    sums: Float64[np.ndarray, "resamples columns"], counts: Float64[np.ndarray, "resamples columns"]
) -> Float64[np.ndarray, " resamples"]:
    """Mean of each column, then their mean; a column without a value is left out, NaN where none has one.

    >>> mean_of_columns(np.array([[4.0, 3.0, 0.0]]), np.array([[4.0, 1.0, 0.0]]))
    array([2.])
    """
    defined = counts > 0
    means = np.where(defined, sums / np.maximum(counts, 1), 0.0)
    columns = defined.sum(axis=1)
    return np.where(columns > 0, means.sum(axis=1) / np.maximum(columns, 1), np.nan)


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval, and how many images and groups it rests on; NaN where undefined."""

    mean: float
    low: float
    high: float
    images: int
    groups: int


def estimate(
    values: Float64[np.ndarray, "images columns"],
    group: Int64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples groups"],
) -> Estimate:
    """Mean over images of each column, then over columns; the interval by resampling groups, images staying in theirs.

    An image or group counts when any of its values is defined. With one group there is nothing to resample: the
    interval is NaN.
    """
    sums, counts = group_totals(values, group, weights.shape[1])
    groups = int((counts > 0).any(axis=1).sum())
    mean = mean_of_columns(sums.sum(axis=0, keepdims=True), counts.sum(axis=0, keepdims=True))[0]
    drawn = weights @ np.hstack([sums, counts])
    low, high = interval(mean_of_columns(*np.hsplit(drawn, 2))) if groups > 1 else (np.nan, np.nan)
    return Estimate(float(mean), low, high, int((~np.isnan(values)).any(axis=1).sum()), groups)
