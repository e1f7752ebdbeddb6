"""Class regions of an image, or of a slide band by band: one definition, however the rows are cut."""

from collections.abc import Callable, MutableMapping, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from histoloom.predict.regions.cleaning import final_classes
from histoloom.predict.regions.neighbourhood import Rows, classes_in_bands
from histoloom.predict.regions.patches import PatchScan, label_patches, strips
from histoloom.predict.regions.settings import RegionPlan
from histoloom.sample import IGNORE

BAND_PX = 512  # rows of an image that are worked on at once

Inside = Callable[[int, int], Bool[np.ndarray, "rows columns"]]
Bands = MutableMapping[int, UInt8[np.ndarray, "rows columns"]]


def class_regions(
    probabilities: UInt8[np.ndarray, "height width classes"], plan: RegionPlan
) -> UInt8[np.ndarray, "height width"]:
    """The class of each pixel of an image in memory, as write_regions defines it."""
    height, bands = len(probabilities), {}
    spans = [(first, min(first + BAND_PX, height)) for first in range(0, height, BAND_PX)]
    write_regions(lambda first, last: probabilities[first:last], spans, plan, bands)
    return np.concatenate([bands[number] for number in range(len(spans))])


def write_regions(
    rows: Rows,
    spans: Sequence[tuple[int, int]],
    plan: RegionPlan,
    bands: Bands,
    *,
    inside: Inside | None = None,
    outside: int = 0,
) -> None:
    """Write the class map into `bands`, number by number: rows `spans[number]`, which follow each other from the top.

    In this order: the probabilities of each class are smoothed (see smoothing); each pixel has the most probable
    class, the first of equals; all classes but background are opened, then closed (morphology); then, of whole regions,
    holes are filled, small regions of one class given away, and small patches of foreground dropped (cleaning).
    Beyond the image the probabilities of the nearest pixel go on; regions end there.

    `rows(first, last)` gives probabilities, each row once and in order. `inside(first, last)` says which pixels are
    looked at: of the others `rows` gives background; no step changes them, every region ends at them as it does at the
    image's edge, and they get the value `outside`.
    `bands` is written twice where regions are looked at as wholes, and read between. How the rows are cut changes no
    byte. Memory: a few bands, and some 300 bytes for each patch of one class.
    """
    scan = PatchScan()
    drafts = classes_in_bands(rows, spans[-1][1], spans, plan)
    for number, (span, classes) in enumerate(zip(spans, drafts, strict=True)):
        if inside is not None:
            classes[~inside(*span)] = IGNORE
        if plan.looks_at_areas:
            scan.add(classes)
        bands[number] = classes if plan.looks_at_areas else _finished(classes, outside)
    if plan.looks_at_areas:
        _write_again(bands, len(spans), scan, plan, outside)


def _write_again(bands: Bands, count: int, scan: PatchScan, plan: RegionPlan, outside: int) -> None:
    graph = scan.graph()
    decided, starts = final_classes(graph, plan), iter(scan.starts)
    is_changed, start = decided != graph.classes, next(starts)
    for number in range(count):
        classes = bands[number].copy()
        for strip in strips(classes):
            end = next(starts)
            if is_changed[start:end].any():
                labels, _ = label_patches(strip)  # numbered as in the scan, since the strip is the same
                np.take(np.concatenate([decided[:1], decided[start:end]]), labels, out=strip)
            start = end
        bands[number] = _finished(classes, outside)


def _finished(classes: UInt8[np.ndarray, "rows columns"], outside: int) -> UInt8[np.ndarray, "rows columns"]:
    if outside != IGNORE:
        classes[classes == IGNORE] = outside
    return classes
