"""Which predicted nucleus is which true one: pairs by IoU > 0.5, from overlaps counted in one pass over the pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt8

from histoloom.evaluate.counting.facts import ANY
from histoloom.evaluate.counting.nucleus_table import nucleus_classes, nucleus_table
from histoloom.evaluate.counting.overlap_table import Overlaps, overlaps, relabel

__all__ = ["ANY", "Matches", "match", "nucleus_classes", "overlaps", "pair_counts", "paired", "pairs", "relabel"]


@dataclass(frozen=True)
class Matches:
    """Paired nuclei by id with their IoU, predicted ids without truth, and true ids that nothing found."""

    truth: Int64[np.ndarray, " pairs"]
    predicted: Int64[np.ndarray, " pairs"]
    iou: Float64[np.ndarray, " pairs"]
    false_positives: Int64[np.ndarray, " extra"]
    false_negatives: Int64[np.ndarray, " missed"]


def match(truth: Int32[np.ndarray, "height width"], predicted: Int32[np.ndarray, "height width"]) -> Matches:
    """Pair true and predicted nuclei whose IoU is strictly above 0.5, which leaves each at most one partner.

    Source: Kirillov et al., Panoptic segmentation, CVPR 2019 (uniqueness of the pairs is their theorem). Either map
    may be empty; an IoU of exactly 0.5 is no pair, decided in whole pixels.

    >>> truth, predicted = np.array([[1, 1, 1, 0, 2]], np.int32), np.array([[7, 7, 0, 5, 5]], np.int32)
    >>> found = match(truth, predicted)
    >>> found.truth, found.predicted, found.iou.round(3), found.false_positives, found.false_negatives
    (array([1]), array([7]), array([0.667]), array([5]), array([2]))
    """
    table = overlaps(truth, predicted)
    is_pair = paired(table)
    rows, columns = table.truth[is_pair], table.predicted[is_pair]
    return Matches(
        truth=table.truth_ids[rows],
        predicted=table.predicted_ids[columns],
        iou=table.iou[is_pair],
        false_positives=np.delete(table.predicted_ids, columns),
        false_negatives=np.delete(table.truth_ids, rows),
    )


def paired(table: Overlaps) -> Bool[np.ndarray, " touching"]:
    """Which entries of the table are pairs: IoU strictly above 0.5, decided in whole pixels."""
    return 2 * table.pixels > table.union


def pairs(table: Overlaps) -> tuple[int, int, int, float]:
    """True positives, false positives, false negatives, and the sum of IoU of the pairs."""
    is_pair = paired(table)
    found = int(is_pair.sum())
    return found, len(table.predicted_ids) - found, len(table.truth_ids) - found, float(table.iou[is_pair].sum())


def pair_counts(
    truth_instances: Int32[np.ndarray, "height width"],
    truth_mask: UInt8[np.ndarray, "height width"],
    predicted_instances: Int32[np.ndarray, "height width"],
    predicted_classes: Mapping[int, int],
    n_classes: int,
) -> Float64[np.ndarray, "{n_classes} 4"]:
    """Count true positives, false positives, false negatives and sum the IoU of the pairs, for each class of nucleus.

    Row 0 (ANY) takes all nuclei as one class; row c pairs the nuclei of class c among themselves, so a nucleus found
    with another class is one false negative and one false positive (Gamper et al., PanNuke dataset extension, 2020).
    A true nucleus has the majority class of the mask under it; one whose majority is background counts in row 0 only.
    Nuclei, true or predicted, with more than half of their pixels on 255 (not annotated) are left out.

    Raises ValueError where a predicted nucleus has no class, or one that does not exist.
    """
    return nucleus_table(truth_instances, truth_mask, predicted_instances, predicted_classes, n_classes).by_class(pairs)
