"""Which class each patch gets in the end: holes filled, small regions given away, small patches dropped."""

from functools import partial

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from histoloom.predict.regions.patch_graph import PatchGraph, components, joined
from histoloom.predict.regions.settings import RegionPlan
from histoloom.sample import IGNORE


def final_classes(graph: PatchGraph, plan: RegionPlan) -> UInt8[np.ndarray, " patches"]:
    """The class of each patch of a scan after all steps, in this order: holes, regions of one class, foreground."""
    graph, place = joined(graph, graph.classes)
    steps = (
        (plan.hole_px, partial(fill_holes, largest_px=plan.hole_px)),
        (plan.min_region_px, partial(give_away_small, least_px=plan.min_region_px)),
        (plan.min_area_px, partial(drop_small, least_px=plan.min_area_px)),
    )
    for threshold, step in steps:
        if threshold:
            graph, moved = step(graph)
            place = moved[place]
    return graph.classes[place]


def fill_holes(graph: PatchGraph, *, largest_px: int) -> tuple[PatchGraph, Int64[np.ndarray, " patches"]]:
    """Give enclosed background of at most that area the class with which it has the longest border.

    What touches the image's edge, or what is not looked at, is not known to be enclosed. Of equals the first class.
    """
    edges = graph.edges
    is_open = np.zeros(len(graph.classes), bool)
    is_open[edges[edges[:, 0] == 0, 1]] = True
    holes = (graph.classes == 0) & (graph.areas <= largest_px) & ~is_open
    classes, _ = _with_longest_border(graph, holes, _is_foreground(graph))
    return joined(graph, classes)


def give_away_small(graph: PatchGraph, *, least_px: int) -> tuple[PatchGraph, Int64[np.ndarray, " patches"]]:
    """Give each region of one class below the area to what it has the longest border with, background included.

    Neighbours that are themselves too small have no say; what has no other neighbours waits until one of them belongs
    to something. What is never reached becomes background. Of equals the first class. So no region below the area is
    left.
    """
    place = np.arange(len(graph.classes))
    while True:
        small = _is_foreground(graph) & (graph.areas < least_px)
        classes, is_given = _with_longest_border(graph, small, ~small & (graph.classes != IGNORE))
        if not is_given.any():
            classes[small] = 0
        graph, moved = joined(graph, classes)
        place = moved[place]
        if not is_given.any():
            return graph, place


def drop_small(graph: PatchGraph, *, least_px: int) -> tuple[PatchGraph, Int64[np.ndarray, " patches"]]:
    """Make background of foreground patches, of whatever classes, below the area."""
    inside = _is_foreground(graph)
    count, patch = components(graph.edges[inside[graph.edges].all(axis=1)], len(graph.classes))
    small = np.bincount(patch, graph.areas, minlength=count) < least_px
    return joined(graph, np.where(inside & small[patch], 0, graph.classes).astype(np.uint8))


def _is_foreground(graph: PatchGraph) -> Bool[np.ndarray, " patches"]:
    return (graph.classes > 0) & (graph.classes != IGNORE)


def _with_longest_border(
    graph: PatchGraph, asking: Bool[np.ndarray, " patches"], giving: Bool[np.ndarray, " patches"]
) -> tuple[UInt8[np.ndarray, " patches"], Bool[np.ndarray, " patches"]]:
    """The classes once each asking patch has that of most of its border with giving patches; and which have got one."""
    here, there = np.concatenate([graph.edges, graph.edges[:, ::-1]]).T
    lengths = np.concatenate([graph.lengths, graph.lengths])
    counts = asking[here] & giving[there]
    number = np.cumsum(asking) - 1
    known = int(graph.classes[giving].max(initial=0)) + 1
    cells = number[here[counts]] * known + graph.classes[there[counts]]
    table = np.bincount(cells, lengths[counts], minlength=int(asking.sum()) * known).reshape(-1, known)
    is_given = np.zeros(len(graph.classes), bool)
    is_given[asking] = table.any(axis=1)
    classes = graph.classes.copy()
    classes[is_given] = table.argmax(axis=1)[table.any(axis=1)]
    return classes, is_given
