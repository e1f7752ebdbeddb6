"""Which true nuclei are merged into one predicted nucleus, and which are split into several."""

import numpy as np
from jaxtyping import Bool, Float64

from histoloom.evaluate.counting.facts import ANY
from histoloom.evaluate.counting.nucleus_table import NucleusTable
from histoloom.evaluate.counting.overlap_table import Overlaps


def is_merged(table: Overlaps) -> Bool[np.ndarray, " truths"]:
    """True nuclei that share one predicted nucleus: two or more have more than half of their area in the same one.

    A nucleus has more than half of its area in one other at most, so "the" predicted nucleus is never in doubt.
    """
    inside = 2 * table.pixels > table.truth_area[table.truth]
    held = np.bincount(table.predicted[inside], minlength=len(table.predicted_ids))
    merged = np.zeros(len(table.truth_ids), bool)
    merged[table.truth[inside & (held[table.predicted] >= 2)]] = True
    return merged


def is_split(table: Overlaps) -> Bool[np.ndarray, " truths"]:
    """True nuclei in which two or more predicted nuclei lie with more than half of their area each."""
    inside = 2 * table.pixels > table.predicted_area[table.predicted]
    return np.bincount(table.truth[inside], minlength=len(table.truth_ids)) >= 2


def errors(table: NucleusTable) -> Float64[np.ndarray, "classes 4"]:
    """Numbers of true nuclei, predicted nuclei, merged and split true nuclei.

    Whether a nucleus is merged or split does not ask for classes; row c counts the true nuclei of class c, and those
    predicted as c.
    """
    merged, split = is_merged(table.overlaps), is_split(table.overlaps)
    groups = (
        table.truth_classes,
        table.predicted_classes,
        table.truth_classes[merged],
        table.truth_classes[split],
    )
    counts = np.stack([np.bincount(group, minlength=table.n_classes) for group in groups], axis=1)
    counts[ANY] = [len(group) for group in groups]
    return counts.astype(np.float64)
