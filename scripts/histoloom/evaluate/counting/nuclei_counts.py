"""The facts stored of an image's nuclei, from which every score of nuclei is had later."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float64, Int32, UInt8

from histoloom.evaluate.counting.matching import pairs
from histoloom.evaluate.counting.nuclei_areas import aggregated, object_overlap, sizes, thresholds
from histoloom.evaluate.counting.nuclei_centroids import centroids
from histoloom.evaluate.counting.nuclei_errors import errors
from histoloom.evaluate.counting.nucleus_table import NucleusTable, nucleus_table

BY_CLASS = {"pairs": pairs, "aggregated": aggregated, "object_overlap": object_overlap, "thresholds": thresholds}


def nuclei_counts(
    truth_instances: Int32[np.ndarray, "height width"],
    truth_mask: UInt8[np.ndarray, "height width"],
    predicted_instances: Int32[np.ndarray, "height width"],
    predicted_classes: Mapping[int, int],
    n_classes: int,
    facts: Sequence[str],
    radius_px: float,
    size_edges_px: Sequence[float],
) -> dict[str, Float64[np.ndarray, "rows columns"]]:
    """Count the facts asked for, by name, each [classes, columns]; all from one table of overlaps.

    Row 0 takes all nuclei as one class. Row c restricts both maps to the nuclei of class c, but for `centroids` and
    `errors`, which see all nuclei and then count those of class c; `sizes` has a row for each size in place of class.
    A true nucleus has the majority class of the mask under it; one whose majority is background counts in row 0 only.
    Nuclei, true or predicted, with more than half of their pixels on 255 (not annotated) are left out of every fact;
    of the others every pixel counts. `radius_px` is how far apart centroids of a pair may be, `size_edges_px` are
    areas in pixels (see nuclei_areas.sizes).

    Raises ValueError for an unknown fact, where a predicted nucleus has no class or one that does not exist, and for
    a mask or ids that cannot be.
    """
    ways: dict[str, Callable[[NucleusTable], np.ndarray]] = {
        **{name: lambda table, fact=fact: table.by_class(fact) for name, fact in BY_CLASS.items()},
        "centroids": lambda table: centroids(table, radius_px),
        "errors": errors,
        "sizes": lambda table: sizes(table.overlaps, size_edges_px),
    }
    if unknown := [name for name in facts if name not in ways]:
        raise ValueError(f"facts of nuclei hold '{unknown[0]}'; expected any of {', '.join(ways)}")
    table = nucleus_table(truth_instances, truth_mask, predicted_instances, predicted_classes, n_classes)
    return {name: ways[name](table) for name in facts}
