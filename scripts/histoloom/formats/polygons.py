"""Outlines of labelled pixels as polygons that follow the pixels' edges, and their simplification by a tolerance."""

from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Bool, Int32, Int64

from histoloom.formats.outline_tracing import traced


@dataclass(frozen=True)
class Rings:
    """Outlines of labels: ring r, of `label[r]`, is `vertices[start[r]:start[r + 1]]`, the first vertex not repeated.

    Vertices are (x, y), corners of pixels with the origin at the top left corner of the top left pixel. Rings stand by
    ascending label; the holes of a part of it follow the part's exterior. Exteriors run clockwise as seen on a screen,
    holes the other way.
    """

    label: Int32[np.ndarray, " rings"]
    is_hole: Bool[np.ndarray, " rings"]
    start: Int64[np.ndarray, " rings_and_1"]
    vertices: Int32[np.ndarray, "vertices 2"]


def label_polygons(labels: Int32[np.ndarray, "height width"]) -> Rings:
    """The outlines of all labels above 0, along pixel edges: a polygon covers its pixels and nothing else.

    Pixels of a label that meet at a corner only are joined there by nothing: they are two polygons, or, where they are
    joined elsewhere, exterior and hole that touch in a point. So every polygon is valid as OGC Simple Features has it.
    Only vertices where the outline turns are kept.
    """
    return _holes_after_exteriors(Rings(*traced(labels)))


def polygons(rings: Rings) -> np.ndarray:
    """A shapely polygon with its holes for each exterior ring, in their order."""
    if len(rings.label) == 0:
        return np.zeros(0, object)
    ring_of_vertex = np.repeat(np.arange(len(rings.label)), np.diff(rings.start))
    lines = shapely.linearrings(rings.vertices.astype(np.float64), indices=ring_of_vertex)
    return shapely.polygons(lines, indices=np.cumsum(~rings.is_hole) - 1)


def simplified(rings: Rings, tolerance_px: float) -> Rings:
    """The rings with fewer vertices, none of those left out further than the tolerance from what is kept.

    Each polygon stays valid and keeps its holes, with half the tolerance or less where that takes it, and as it was
    where an eighth does not do. Neighbours are simplified on their own and may part or overlap by the tolerance;
    tolerance 0 changes nothing.
    Source: Douglas and Peucker 1973, as in GEOS. Its variant for whole polygons goes beyond the tolerance.
    """
    if tolerance_px <= 0 or len(rings.label) == 0:
        return rings
    polygon = np.cumsum(~rings.is_hole) - 1
    closed = _lines(rings)
    simple, is_pending = closed.copy(), np.ones(len(closed), bool)
    for share in (1, 0.5, 0.25, 0.125):
        tried = shapely.simplify(closed[is_pending], share * tolerance_px, preserve_topology=False)
        is_good = _valid_rings(tried, polygon[is_pending])
        places = np.flatnonzero(is_pending)[is_good]
        simple[places], is_pending[places] = tried[is_good], False
    vertices, line = shapely.get_coordinates(simple, return_index=True)
    is_last = np.append(line[1:] != line[:-1], True)  # the first again
    start = np.append(0, np.cumsum(shapely.get_num_coordinates(simple) - 1, dtype=np.int64))
    return Rings(rings.label, rings.is_hole, start, vertices[~is_last].astype(np.int32))


def _lines(rings: Rings) -> np.ndarray:
    # Each ring as a closed line.
    line = np.repeat(np.arange(len(rings.label)), np.diff(rings.start))
    vertices = np.insert(rings.vertices, rings.start[1:], rings.vertices[rings.start[:-1]], axis=0)
    return shapely.linestrings(
        vertices.astype(np.float64), indices=np.insert(line, rings.start[1:], line[rings.start[:-1]])
    )


def _valid_rings(lines: np.ndarray, polygon: Int64[np.ndarray, " rings"]) -> Bool[np.ndarray, " rings"]:
    # Whether the polygon that each belongs to is valid; three vertices and the first again are the least.
    _, place = np.unique(polygon, return_inverse=True)
    is_area = np.ones(place.max(initial=-1) + 1, bool)
    is_area[place[shapely.get_num_coordinates(lines) < 4]] = False
    is_ring = is_area[place]
    if is_ring.any():
        places, number = np.unique(place[is_ring], return_inverse=True)
        vertices, line = shapely.get_coordinates(lines[is_ring], return_index=True)
        is_area[places] = shapely.is_valid(
            shapely.polygons(shapely.linearrings(vertices, indices=line), indices=number)
        )
    return is_area[place]


def _holes_after_exteriors(rings: Rings) -> Rings:
    # By label the rings are sorted already; only in labels of several parts must be seen which part has which hole.
    exteriors = np.bincount(rings.label[~rings.is_hole])
    holes = np.flatnonzero(rings.is_hole & (exteriors > 1)[rings.label])
    if len(holes) == 0:
        return rings
    shells = np.flatnonzero(~rings.is_hole & np.isin(rings.label, rings.label[holes]))
    part = np.arange(len(rings.label))
    part[holes] = _part_around(rings, holes, shells)
    return _reordered(rings, np.lexsort((rings.is_hole, part, rings.label)))


def _part_around(
    rings: Rings, holes: Int64[np.ndarray, " holes"], shells: Int64[np.ndarray, " shells"]
) -> Int64[np.ndarray, " holes"]:
    # The smallest exterior of the label around the pixel above the right end of the hole's uppermost edge, which is
    # where the hole's ring starts.
    filled = polygons(_reordered(rings, shells))
    pixels = shapely.points(rings.vertices[rings.start[holes]] - 0.5)
    hole, shell = shapely.STRtree(filled).query(pixels, predicate="within")
    is_same = rings.label[holes[hole]] == rings.label[shells[shell]]
    hole, shell = hole[is_same], shell[is_same]
    order = np.lexsort((shapely.area(filled[shell]), hole))
    _, smallest = np.unique(hole[order], return_index=True)
    return shells[shell[order[smallest]]]


def _reordered(rings: Rings, order: Int64[np.ndarray, " rings"]) -> Rings:
    sizes = np.diff(rings.start)[order]
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    places = np.repeat(rings.start[:-1][order] - start[:-1], sizes) + np.arange(start[-1])
    return Rings(rings.label[order], rings.is_hole[order], start, rings.vertices[places])
