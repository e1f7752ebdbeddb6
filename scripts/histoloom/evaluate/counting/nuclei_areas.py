"""Facts of nuclei by how much of their areas overlaps: what AJI, object Dice and F1 at IoU thresholds are made of."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from histoloom.evaluate.counting.matching import paired
from histoloom.evaluate.counting.one_to_one import one_to_one
from histoloom.evaluate.counting.overlap_table import Overlaps

TWENTIETHS = range(11, 20)  # IoU of .55, .60, ... .95, as whole numbers, so that no rounding decides


def aggregated(table: Overlaps) -> tuple[int, int, int, int]:
    """Pixels shared and united by the pairs of AJI, then by those of AJI+; nuclei without a pair are in the union.

    AJI: each true nucleus takes the predicted one of the highest IoU, even if others took it; of equals the one that
    shares more pixels, then the one that comes first from the top left. Predicted nuclei that nothing took are added
    to the union.
    Source: Kumar et al., A dataset and a technique for generalized nuclear segmentation, IEEE TMI 2017.

    AJI+: one to one, by the greatest sum of IoU. Between pairings of the same sum the assignment's order decides.
    Source: Graham et al., HoVer-Net, Medical Image Analysis 2019, and their published code.
    """
    taken = _best_predictions(table)
    plus = one_to_one(table.truth, table.predicted, 1 - table.iou, 1.0)
    return *_shared_and_union(table, taken), *_shared_and_union(table, np.flatnonzero(plus))


def object_overlap(table: Overlaps) -> tuple[float, int, float, int]:
    """Sums over true nuclei of area x Dice and of area, then the same over predicted ones.

    Dice is with the nucleus of the other map that shares most pixels, 0 where none does; of those that share as many,
    the one of the higher Dice.
    Source: Sirinukunwattana et al., Gland segmentation in colon histology images, Medical Image Analysis 2017.
    """
    dice = 2 * table.pixels / (table.union + table.pixels)
    return (
        _weighted_dice(table.truth, table.pixels, dice, table.truth_area),
        int(table.truth_area.sum()),
        _weighted_dice(table.predicted, table.pixels, dice, table.predicted_area),
        int(table.predicted_area.sum()),
    )


def thresholds(table: Overlaps) -> tuple[int, ...]:
    """Numbers of true and predicted nuclei, then of pairs at IoU > .50 and at IoU >= .55, .60, ... .95.

    At .50 exactly two nuclei may claim the same one, so it must be exceeded, as for panoptic quality; above that no
    pair is in doubt, and reaching the threshold is enough. Both are decided in whole pixels.
    """
    at_least = (int((20 * table.pixels >= part * table.union).sum()) for part in TWENTIETHS)
    return len(table.truth_ids), len(table.predicted_ids), int(paired(table).sum()), *at_least


def sizes(table: Overlaps, edges_px: Sequence[float]) -> Float64[np.ndarray, "bins 4"]:
    """True positives, false positives, false negatives and sum of IoU of the pairs, by size of nucleus.

    Bins are below the first edge, from each edge to below the next, and from the last on: one more than edges, which
    are areas in pixels. A pair counts in the bin of its true nucleus, a false positive in that of the predicted one.
    Raises ValueError for edges that do not ascend.
    """
    if list(edges_px) != sorted(set(edges_px)):
        raise ValueError(f"edges of sizes are {list(edges_px)}; expected areas in ascending order, each once")
    is_pair, bins = paired(table), len(edges_px) + 1
    rows, columns = table.truth[is_pair], table.predicted[is_pair]
    truth_bin, predicted_bin = (
        np.searchsorted(np.asarray(edges_px, np.float64), area, side="right")
        for area in (table.truth_area, table.predicted_area)
    )
    counts = (
        np.bincount(truth_bin[rows], minlength=bins),
        np.bincount(np.delete(predicted_bin, columns), minlength=bins),
        np.bincount(np.delete(truth_bin, rows), minlength=bins),
        np.bincount(truth_bin[rows], table.iou[is_pair], minlength=bins),
    )
    return np.stack(counts, axis=1).astype(np.float64)


def _best_predictions(table: Overlaps) -> Int64[np.ndarray, " found"]:
    """Entry of the highest IoU of each true nucleus that anything touches."""
    order = np.lexsort((table.predicted, -table.pixels, -table.iou, table.truth))
    return order[np.diff(table.truth[order], prepend=-1) > 0]


def _shared_and_union(table: Overlaps, entries: Int64[np.ndarray, " entries"]) -> tuple[int, int]:
    """Pixels shared in these entries, and united in them and all nuclei that are in none of them."""
    alone_truth = np.delete(table.truth_area, table.truth[entries]).sum()
    alone_predicted = np.delete(table.predicted_area, table.predicted[entries]).sum()
    union = table.union[entries].sum() + alone_truth + alone_predicted
    return int(table.pixels[entries].sum()), int(union)


def _weighted_dice(
    nuclei: Int64[np.ndarray, " touching"],
    pixels: Int64[np.ndarray, " touching"],
    dice: Float64[np.ndarray, " touching"],
    area: Int64[np.ndarray, " nuclei"],
) -> float:
    order = np.lexsort((-dice, -pixels, nuclei))
    best = order[np.diff(nuclei[order], prepend=-1) > 0]
    return float((area[nuclei[best]] * dice[best]).sum())
