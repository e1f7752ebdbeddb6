"""Which predicted nucleus is which true one: pairs by IoU > 0.5, from overlaps counted in one pass over the pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32, Int64, UInt8

from histoloom.sample import IGNORE

ANY = 0  # the row of pair_counts for all nuclei as one class: background, index 0, has no nuclei of its own
DENSE_CELLS_PER_PIXEL = 8  # up to here counting into a whole table beats sorting the pixels


@dataclass(frozen=True)
class Overlaps:
    """Areas of the nuclei of two maps, and how many pixels they share: only pairs that touch have an entry.

    `truth` and `predicted` are positions in `truth_ids` and `predicted_ids`; areas are in pixels.
    """

    truth_ids: Int64[np.ndarray, " truths"]
    predicted_ids: Int64[np.ndarray, " predictions"]
    truth_area: Int64[np.ndarray, " truths"]
    predicted_area: Int64[np.ndarray, " predictions"]
    truth: Int64[np.ndarray, " touching"]
    predicted: Int64[np.ndarray, " touching"]
    pixels: Int64[np.ndarray, " touching"]


@dataclass(frozen=True)
class Matches:
    """Paired nuclei by id with their IoU, predicted ids without truth, and true ids that nothing found."""

    truth: Int64[np.ndarray, " pairs"]
    predicted: Int64[np.ndarray, " pairs"]
    iou: Float64[np.ndarray, " pairs"]
    false_positives: Int64[np.ndarray, " extra"]
    false_negatives: Int64[np.ndarray, " missed"]


def overlaps(truth: Int32[np.ndarray, "height width"], predicted: Int32[np.ndarray, "height width"]) -> Overlaps:
    """Count the pixels that each true nucleus shares with each predicted one (id 0 = no nucleus).

    Ids need not be contiguous; memory grows with the largest id, a byte and eight for each. Raises ValueError for
    negative ids.
    """
    truth_ids, truth_position = relabel(truth)
    predicted_ids, predicted_position = relabel(predicted)
    width = len(predicted_ids) + 1
    cells, pixels = _count(truth_position * width + predicted_position, (len(truth_ids) + 1) * width)
    rows, columns = np.divmod(cells, width)
    nuclei = (rows > 0) & (columns > 0)
    return Overlaps(
        truth_ids=truth_ids,
        predicted_ids=predicted_ids,
        truth_area=np.bincount(truth_position, minlength=len(truth_ids) + 1)[1:],
        predicted_area=np.bincount(predicted_position, minlength=width)[1:],
        truth=rows[nuclei] - 1,
        predicted=columns[nuclei] - 1,
        pixels=pixels[nuclei],
    )


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
    union = table.truth_area[table.truth] + table.predicted_area[table.predicted] - table.pixels
    paired = 2 * table.pixels > union
    rows, columns = table.truth[paired], table.predicted[paired]
    return Matches(
        truth=table.truth_ids[rows],
        predicted=table.predicted_ids[columns],
        iou=table.pixels[paired] / union[paired],
        false_positives=np.delete(table.predicted_ids, columns),
        false_negatives=np.delete(table.truth_ids, rows),
    )


def nucleus_classes(
    instances: Int32[np.ndarray, "height width"], mask: UInt8[np.ndarray, "height width"], n_classes: int
) -> dict[int, int]:
    """Give each nucleus the class that most of its annotated pixels have in `mask`; the lower class wins a tie.

    A nucleus with more than half of its pixels on 255 (not annotated) gets 255. Raises ValueError for a class in
    `mask` that does not exist.
    """
    unknown = mask[(mask >= n_classes) & (mask != IGNORE)]
    if unknown.size:
        raise ValueError(f"mask holds class {unknown[0]}; expected 0 to {n_classes - 1} or {IGNORE} (not annotated)")
    ids, position = relabel(instances)
    column = np.minimum(mask, n_classes).ravel()  # 255 becomes the last column
    cells = np.bincount(position * (n_classes + 1) + column, minlength=(len(ids) + 1) * (n_classes + 1))
    counts = cells.reshape(len(ids) + 1, n_classes + 1)[1:]
    ignored = 2 * counts[:, n_classes] > counts.sum(axis=1)
    classes = np.where(ignored, IGNORE, counts[:, :n_classes].argmax(axis=1))
    return dict(zip(ids.tolist(), classes.tolist(), strict=True))


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

    Raises ValueError where a predicted nucleus has no class.
    """
    truth_classes = nucleus_classes(truth_instances, truth_mask, n_classes)
    place = nucleus_classes(predicted_instances, truth_mask, n_classes)
    if missing := sorted(place.keys() - predicted_classes.keys()):
        raise ValueError(f"predicted nucleus {missing[0]} has no class; expected one for each of {len(place)} nuclei")
    found = match(_without_ignored(truth_instances, truth_classes), _without_ignored(predicted_instances, place))

    def classes(of: Mapping[int, int], ids: Int64[np.ndarray, " nuclei"]) -> Int64[np.ndarray, " nuclei"]:
        return np.array([of[number] for number in ids.tolist()], np.int64)

    true, predicted = classes(truth_classes, found.truth), classes(predicted_classes, found.predicted)
    extra = classes(predicted_classes, found.false_positives)
    missed = classes(truth_classes, found.false_negatives)
    confused = true != predicted
    rows = (
        np.bincount(true[~confused], minlength=n_classes),
        np.bincount(np.concatenate([extra, predicted[confused]]), minlength=n_classes),
        np.bincount(np.concatenate([missed, true[confused]]), minlength=n_classes),
        np.bincount(true[~confused], found.iou[~confused], minlength=n_classes),
    )
    counts = np.stack(rows, axis=1).astype(np.float64)
    counts[ANY] = len(true), len(extra), len(missed), found.iou.sum()
    return counts


def relabel(
    instances: Int32[np.ndarray, "height width"],
) -> tuple[Int64[np.ndarray, " nuclei"], Int64[np.ndarray, " pixels"]]:
    """Give the ids in a map, ascending, and for each pixel 0 or one plus the position of its id.

    A look-up table of the largest id replaces sorting the pixels: some ten times faster on a tile.
    """
    if instances.size and instances.min() < 0:
        raise ValueError(f"nucleus ids reach down to {instances.min()}; expected 0 (none) and above")
    present = np.zeros(instances.max(initial=0) + 1, bool)
    present[instances.ravel()] = True
    present[0] = False
    return np.flatnonzero(present), np.cumsum(present)[instances.ravel()] * (instances.ravel() > 0)


def _count(
    cells: Int64[np.ndarray, " pixels"], size: int
) -> tuple[Int64[np.ndarray, " used"], Int64[np.ndarray, " used"]]:
    if size > DENSE_CELLS_PER_PIXEL * max(cells.size, 1):
        return np.unique(cells, return_counts=True)
    counts = np.bincount(cells, minlength=size)
    used = np.flatnonzero(counts)
    return used, counts[used]


def _without_ignored(
    instances: Int32[np.ndarray, "height width"], classes: Mapping[int, int]
) -> Int32[np.ndarray, "height width"]:
    ignored = [number for number, name in classes.items() if name == IGNORE]
    return np.where(np.isin(instances, ignored), 0, instances).astype(np.int32) if ignored else instances
