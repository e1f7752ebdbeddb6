"""Which way is better for a metric: some, such as distances, are good when they are small."""

import importlib

from histoloom.plugins import path

AVERAGING = "@"  # parts a metric's name in tables from how its images were averaged
AGREEMENT = ("r2", "concordance")  # of a quantity such as an area, which has no file of its own: high is good
DESCRIPTION = ("truth", "bias", "lower_limit", "upper_limit")  # of a quantity's errors: neither high nor low is good


def has_better_side(metric: str) -> bool:
    """Whether more or less of the metric is better at all; of a bias it is not.

    >>> has_better_side("dice@pooled"), has_better_side("count@bias")
    (True, False)
    """
    return metric.partition(AVERAGING)[2] not in DESCRIPTION


def is_lower_better(metric: str) -> bool:
    """Whether small values are good, as the metric's file says with LOWER_IS_BETTER; `pq@pooled` is as `pq`.

    Raises InputError for a metric that has no file.
    """
    name, _, averaging = metric.partition(AVERAGING)
    if averaging in (*AGREEMENT, *DESCRIPTION):
        return False
    path("metrics", name)  # a misspelt name is answered with the choices
    return bool(getattr(importlib.import_module(f"histoloom.metrics.{name}"), "LOWER_IS_BETTER", False))
