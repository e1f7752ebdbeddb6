"""The nuclei of one annotated image beside those predicted: overlaps, classes and places, all from one pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32, Int64, UInt8

from histoloom.evaluate.counting.facts import ANY
from histoloom.evaluate.counting.overlap_table import Overlaps, Runs, relabel, runs, tabulate
from histoloom.sample import IGNORE


@dataclass(frozen=True)
class NucleusTable:
    """True and predicted nuclei that lie where somebody annotated, each map's in the order in which rows reach them.

    That order, from the top left, decides between equals; so a score does not depend on how nuclei are numbered.
    `truth_position` and `predicted_position` say of each run of pixels which nucleus it is in: 0, or 1 plus its place.
    """

    n_classes: int
    overlaps: Overlaps
    truth_classes: Int64[np.ndarray, " truths"]
    predicted_classes: Int64[np.ndarray, " predictions"]
    runs: Runs
    truth_position: Int64[np.ndarray, " runs"]
    predicted_position: Int64[np.ndarray, " runs"]

    def of_class(self, number: int) -> Overlaps:
        """The overlaps of the nuclei of one class, on both sides; of all nuclei for ANY."""
        true, predicted = self.truth_classes == number, self.predicted_classes == number
        if number == ANY or (true.all() and predicted.all()):
            return self.overlaps
        return self.overlaps.only(true, predicted)

    def by_class(self, fact: Callable[[Overlaps], Sequence[float]]) -> Float64[np.ndarray, "classes columns"]:
        """Count a fact in row ANY for all nuclei as one class, in row c for those of class c among themselves."""
        whole, tables = fact(self.overlaps), (self.of_class(number) for number in range(self.n_classes))
        # Where there is one class of nuclei its row is that of all: counted once.
        return np.array([whole if table is self.overlaps else fact(table) for table in tables], np.float64)


def nucleus_table(
    truth_instances: Int32[np.ndarray, "height width"],
    truth_mask: UInt8[np.ndarray, "height width"],
    predicted_instances: Int32[np.ndarray, "height width"],
    predicted_classes: Mapping[int, int],
    n_classes: int,
) -> NucleusTable:
    """Tabulate the nuclei of one image, true and predicted.

    A true nucleus has the class that most of its annotated pixels have in the mask, the lower of equals. Nuclei, true
    or predicted, with more than half of their pixels on 255 (not annotated) are left out.

    Raises ValueError where one of the other predicted nuclei has no class, for a class that does not exist, and for
    negative ids.
    """
    found = runs(truth_instances, predicted_instances, truth_mask)
    values = truth_mask.ravel()[found.start]
    truth_ids, truth_position, truth_classes = _annotated(truth_instances, values, found, n_classes)
    predicted_ids, predicted_position, _ = _annotated(predicted_instances, values, found, n_classes)
    return NucleusTable(
        n_classes=n_classes,
        overlaps=tabulate(truth_ids, truth_position, predicted_ids, predicted_position, found.length),
        truth_classes=truth_classes,
        predicted_classes=_classes_of(predicted_ids, predicted_classes, n_classes),
        runs=found,
        truth_position=truth_position,
        predicted_position=predicted_position,
    )


def nucleus_classes(
    instances: Int32[np.ndarray, "height width"], mask: UInt8[np.ndarray, "height width"], n_classes: int
) -> dict[int, int]:
    """Give each nucleus the class that most of its annotated pixels have in `mask`; the lower class wins a tie.

    A nucleus with more than half of its pixels on 255 (not annotated) gets 255. Raises ValueError for a class in
    `mask` that does not exist.
    """
    found = runs(instances, mask)
    ids, position = relabel(instances.ravel()[found.start])
    classes = _voted(position, mask.ravel()[found.start], found.length, len(ids), n_classes)
    return dict(zip(ids.tolist(), classes.tolist(), strict=True))


def _annotated(
    instances: Int32[np.ndarray, "height width"], values: UInt8[np.ndarray, " runs"], found: Runs, n_classes: int
) -> tuple[Int64[np.ndarray, " nuclei"], Int64[np.ndarray, " runs"], Int64[np.ndarray, " nuclei"]]:
    """Ids of the nuclei that count, by first pixel; for each run 0 or one plus the place of its id; their classes."""
    ids, position = relabel(instances.ravel()[found.start])
    classes = _voted(position, values, found.length, len(ids), n_classes)
    first = np.zeros(len(ids) + 1, np.int64)
    # Of several values for one place NumPy keeps the last: backwards, the first run of each nucleus.
    first[position[::-1]] = np.arange(len(position))[::-1]
    order = np.argsort(first[1:])
    order = order[classes[order] != IGNORE]
    rank = np.zeros(len(ids) + 1, np.int64)
    rank[order + 1] = np.arange(1, len(order) + 1)
    return ids[order], rank[position], classes[order]


def _voted(
    position: Int64[np.ndarray, " runs"],
    values: UInt8[np.ndarray, " runs"],
    length: Int64[np.ndarray, " runs"],
    nuclei: int,
    n_classes: int,
) -> Int64[np.ndarray, "{nuclei}"]:
    unknown = values[(values >= n_classes) & (values != IGNORE)]
    if unknown.size:
        raise ValueError(f"mask holds class {unknown[0]}; expected 0 to {n_classes - 1} or {IGNORE} (not annotated)")
    columns = n_classes + 1  # the last takes 255
    cells = position * columns + np.minimum(values, n_classes)
    counts = np.bincount(cells, length, minlength=(nuclei + 1) * columns).reshape(nuclei + 1, columns)[1:]
    ignored = 2 * counts[:, n_classes] > counts.sum(axis=1)
    return np.where(ignored, IGNORE, counts[:, :n_classes].argmax(axis=1))


def _classes_of(
    ids: Int64[np.ndarray, " nuclei"], classes: Mapping[int, int], n_classes: int
) -> Int64[np.ndarray, " nuclei"]:
    if missing := sorted(set(ids.tolist()) - classes.keys()):
        raise ValueError(f"predicted nucleus {missing[0]} has no class; expected one for each of {len(ids)} nuclei")
    found = np.array([classes[number] for number in ids.tolist()], np.int64)
    unknown = np.flatnonzero((found < 0) | (found >= n_classes))
    if unknown.size:
        first = unknown[0]
        raise ValueError(f"predicted nucleus {ids[first]} is of class {found[first]}; expected 0 to {n_classes - 1}")
    return found
