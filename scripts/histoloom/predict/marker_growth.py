"""How foreground is divided among markers: as by water that runs into them, out of other hollows over lowest passes."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64, UInt16

from histoloom.predict.foreground import connected_patches

Depth = UInt16[np.ndarray, "height width"] | Float32[np.ndarray, "height width"]
Ids = Int32[np.ndarray, "height width"]
Places = Int64[np.ndarray, " places"]

CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
ABOVE, LEFT, RIGHT, RUNS = 1, 2, 4, 8  # bits of which neighbours of a pixel are as deep as the deepest, and if it runs


def grow_markers(markers: Ids, depth: Depth, mask: Bool[np.ndarray, "height width"]) -> Ids:
    """Nuclei that fill the mask, ids from 1 without gaps: each pixel's is the marker that its water runs into.

    Water runs to the deepest of four neighbours, of equals to the upper, left, right one, and on level ground the
    shortest way out. A hollow without a marker overflows as a whole, over the deepest of the passes around it. What
    reaches no marker is a nucleus for each patch, after the others. Markers have ids from 1 without gaps and lie in the
    mask, where depth is above 0. Every tie is settled by what lies around it, so that a part of an image, cut with a
    margin, gives the same nuclei.
    Source: Cousty, Bertrand, Najman and Couprie 2009, "Watershed cuts: minimum spanning forests and the drop of water
    principle".
    """
    # A frame, so that every pixel has four neighbours.
    ground, ids = (
        cv2.copyMakeBorder(each, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0) for each in (depth * mask, markers)
    )
    steps = _steps(ground, ids)
    is_still = (steps == 0) & (ground > 0) & (ids == 0)
    _leave_level_ground(steps, is_still, ground)
    hollows, count = connected_patches(is_still)
    last, flat = int(markers.max(initial=0)), ids.ravel()
    bottoms = np.flatnonzero(hollows)
    flat[bottoms] = hollows.ravel()[bottoms] + last
    places = np.flatnonzero(ground > 0)
    found = flat[places][_ends(places, steps.ravel())]
    flat[places] = found
    if count:
        wet = places[found > last]
        flat[wet] = _overflown(flat, wet, ground, last, count)
    return ids[1:-1, 1:-1].copy()


def _around(width: int) -> tuple[int, int, int, int]:
    # From a pixel to the one above it, left, right of it and below it, in an array that is read row by row.
    return -width, -1, 1, width


def _steps(ground: Depth, ids: Ids) -> Int32[np.ndarray, "height width"]:
    # How far on, in the array read row by row, the deepest neighbour of each pixel is; 0 where none is deeper, at
    # markers and outside the mask.
    deepest = cv2.dilate(ground, CROSS)
    bits = (((deepest > ground) & (ground > 0) & (ids == 0)).view(np.uint8)) * np.uint8(RUNS)
    inner, reached = bits[1:-1, 1:-1], deepest[1:-1, 1:-1]
    neighbours = {ABOVE: ground[:-2, 1:-1], LEFT: ground[1:-1, :-2], RIGHT: ground[1:-1, 2:]}
    for bit, neighbour in neighbours.items():
        inner |= (neighbour == reached).view(np.uint8) * np.uint8(bit)
    above, left, right, below = _around(ground.shape[1])
    every = np.arange(256)
    first = np.select([every & bit > 0 for bit in neighbours], [above, left, right], below)
    return cv2.LUT(bits, np.where(every & RUNS, first, 0).astype(np.int32))


def _leave_level_ground(
    steps: Int32[np.ndarray, "height width"], is_still: Bool[np.ndarray, "height width"], ground: Depth
) -> None:
    # In place: where water stands still, but equally deep ground beside it leads on, it goes there; then what lies
    # beside that, round by round.
    around = _around(ground.shape[1])
    moves, waits, depths = steps.ravel(), is_still.ravel(), ground.ravel()
    still = np.flatnonzero(waits)
    left = []
    for step in around:
        leads_on = (depths[still + step] == depths[still]) & ~waits[still + step]
        left.append(still[leads_on])
        moves[left[-1]] = step
        still = still[~leads_on]
    while len(front := np.concatenate(left)):
        waits[front] = False
        left = []
        for step in around:
            behind = front - step
            left.append(behind[waits[behind]])
            moves[left[-1]] = step
            waits[left[-1]] = False


def _ends(places: Places, moves: Int32[np.ndarray, " pixels"]) -> Int32[np.ndarray, " places"]:
    # Where the water of each place ends, as a number among places: each round doubles the distance.
    number = np.empty(len(moves), np.int32)
    number[places] = np.arange(len(places), dtype=np.int32)
    ends = number[places + moves[places]]
    while not np.array_equal(ends, further := ends[ends]):
        ends = further
    return ends


def _overflown(
    ids: Int32[np.ndarray, " pixels"], wet: Places, ground: Depth, last: int, count: int
) -> Int32[np.ndarray, " places"]:
    # Ids of the places whose water ends in one of `count` hollows, which have ids above `last`, once these have
    # overflown. Each joins what is beyond its best pass, until all that is left has none.
    source, beyond, ranks = _passes(ids, wet, ground)
    own = np.arange(last + count + 1, dtype=np.int32)
    joined = own.copy()
    while len(source):
        best = _best(source, ranks, len(own))
        joined[source[best]] = beyond[best]
        joined = np.where((joined[joined] == own) & (own < joined), own, joined)  # two that join each other
        while not np.array_equal(joined, further := joined[joined]):
            joined = further
        source, beyond = joined[source], joined[beyond]
        goes_on = (source > last) & (source != beyond)
        source, beyond, ranks = source[goes_on], beyond[goes_on], [rank[goes_on] for rank in ranks]
    found = joined[ids[wet]]
    is_alone = found > last
    if is_alone.any():
        _, first, group = np.unique(found[is_alone], return_index=True, return_inverse=True)
        found[is_alone] = last + 1 + np.argsort(np.argsort(first))[group]
    return found


Passes = tuple[Int32[np.ndarray, " passes"], Int32[np.ndarray, " passes"], list[Float64[np.ndarray, " passes"]]]


def _passes(ids: Int32[np.ndarray, " pixels"], wet: Places, ground: Depth) -> Passes:
    # Pairs of neighbours, the first wet, that lead from one id to another; and by what passes are ranked, higher first:
    # depth of the shallow side, of the deep side, place. No two are alike, and both sides rank a pass alike.
    depths, found = ground.ravel(), []
    for step in _around(ground.shape[1]):
        beyond = ids[wet + step]
        here = wet[(beyond > 0) & (beyond != ids[wet])]
        there = here + step
        place = -2.0 * np.minimum(here, there) - (abs(step) > 1)
        sides = depths[here], depths[there]
        found.append((ids[here], ids[there], np.minimum(*sides), np.maximum(*sides), place))
    source, beyond, *ranks = (np.concatenate(each) for each in zip(*found, strict=True))
    return source, beyond, [rank.astype(np.float64) for rank in ranks]


def _best(
    source: Int32[np.ndarray, " passes"], ranks: list[Float64[np.ndarray, " passes"]], count: int
) -> Int64[np.ndarray, " best"]:
    # Which pass is the best of each source.
    chosen = np.arange(len(source))
    for rank in ranks:
        highest = np.full(count, -np.inf)
        np.maximum.at(highest, source[chosen], rank[chosen])
        chosen = chosen[rank[chosen] == highest[source[chosen]]]
    return chosen
