"""Patches of a class map as a graph: the class and area of each, and how long the border of two is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class PatchGraph:
    """`edges` are numbers of patches, the lower first, each pair once; `lengths` count the pixel edges between the two.

    Patch 0 has class 255: what is not looked at, and what lies beyond the image.
    """

    classes: UInt8[np.ndarray, " patches"]
    areas: Int64[np.ndarray, " patches"]  # in pixels
    edges: Int64[np.ndarray, "edges 2"]
    lengths: Int64[np.ndarray, " edges"]


def unique_edges(
    pairs: Int64[np.ndarray, "pairs 2"], lengths: Int64[np.ndarray, " pairs"] | None = None
) -> tuple[Int64[np.ndarray, "edges 2"], Int64[np.ndarray, " edges"]]:
    """Each pair of different numbers once, the lower first, in ascending order, with its summed length (1 if none).

    >>> unique_edges(np.array([[4, 1], [2, 2], [1, 4], [0, 3]]))
    (array([[0, 3],
           [1, 4]]), array([1, 2]))
    """
    different = pairs[:, 0] != pairs[:, 1]
    lower, upper = np.sort(pairs[different], axis=1).T
    count = int(pairs.max(initial=0)) + 1
    if lengths is None:
        keys, sums = np.unique(lower * count + upper, return_counts=True)
    else:
        keys, place = np.unique(lower * count + upper, return_inverse=True)
        sums = np.bincount(place, lengths[different], minlength=len(keys))
    return np.stack(np.divmod(keys, count), axis=1), sums.astype(np.int64)


def joined(
    graph: PatchGraph, classes: UInt8[np.ndarray, " patches"]
) -> tuple[PatchGraph, Int64[np.ndarray, " patches"]]:
    """The graph once patches have these classes and neighbours of one class are one patch; the place of each in it."""
    same = classes[graph.edges[:, 0]] == classes[graph.edges[:, 1]]
    count, place = components(graph.edges[same], len(classes))
    areas = np.bincount(place, graph.areas, minlength=count).astype(np.int64)
    merged = np.zeros(count, np.uint8)
    merged[place] = classes
    edges, lengths = unique_edges(place[graph.edges[~same]], graph.lengths[~same])
    return PatchGraph(merged, areas, edges, lengths), place


def components(edges: Int64[np.ndarray, "edges 2"], count: int) -> tuple[int, Int64[np.ndarray, " {count}"]]:
    """How many groups the edges make of `count` patches, and the group of each; that of patch 0 is 0."""
    ones = np.ones(len(edges), np.uint8)
    groups, place = connected_components(coo_array((ones, tuple(edges.T)), (count, count)), directed=False)
    assert place[0] == 0
    return int(groups), place.astype(np.int64)
