"""Following the edges of labelled pixels: where each label's outline turns, and in which order it comes there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt8

Traced = tuple[
    Int32[np.ndarray, " rings"], Bool[np.ndarray, " rings"], Int64[np.ndarray, " starts"], Int32[np.ndarray, "n 2"]
]
# Which of its four neighbours' borders a corner of pixel edges lies on is a number: 1 where the pixels above it are
# alike, 2 those left of it, 4 those right of it, 8 those below it. Where an edge passes straight, or none is, no label
# turns.
ABOVE, LEFT, RIGHT, BELOW = 1, 2, 4, 8
STRAIGHT = (ABOVE | BELOW, LEFT | RIGHT, ABOVE | LEFT | RIGHT | BELOW)


@dataclass(frozen=True)
class _Turns:
    """Where the outline of a label turns, by label, then row, then column.

    Of the horizontal edge that ends here, turn 2k is the left end and 2k + 1 the right one. `is_tail` says that the
    edge starts here, `is_upper` that of the vertical edge this is the upper end.
    """

    label: Int32[np.ndarray, " turns"]
    row: Int32[np.ndarray, " turns"]
    column: Int32[np.ndarray, " turns"]
    is_tail: Bool[np.ndarray, " turns"]
    is_upper: Bool[np.ndarray, " turns"]


def traced(labels: Int32[np.ndarray, "height width"]) -> Traced:
    """The rings of all labels above 0: label, whether it is a hole, where it starts in the vertices, and these.

    Rings stand by ascending label, no ring touches itself; see `histoloom.formats.polygons.Rings` for the rest.
    A label's turns, sorted along rows, are pairwise the ends of its horizontal edges, and sorted along columns those of
    the vertical ones; so following them needs no pass over pixels.
    Source: O'Rourke 1988, "Uniqueness of orthogonal connect-the-dots".
    """
    turns = _turns(labels)
    follower = _follower(turns)
    follower = _parted(turns, follower, _first_of_cycle(follower))
    return _rings(turns, follower, _first_of_cycle(follower))


def _turns(labels: Int32[np.ndarray, "height width"]) -> _Turns:
    padded = np.pad(labels, 1)
    corner, kind = _corners(padded)
    width = padded.shape[1]
    pixels = padded.ravel()
    above_left, above_right, below_left, below_right = (pixels[corner + move] for move in (0, 1, width, width + 1))
    above, left, right, below = (kind & bit > 0 for bit in (ABOVE, LEFT, RIGHT, BELOW))
    # Whose label turns, where; whether its horizontal edge lies to the right, its vertical edge below, and whether the
    # outline, which has the label on its right-hand side, goes on along the horizontal one.
    cases = [
        (above_left, ~above & ~left, False, False, True),
        (above_right, ~above & ~right, True, False, False),
        (below_left, ~below & ~left, False, True, False),
        (below_right, ~below & ~right, True, True, True),
        (above_left, above & left & ~right, True, True, False),
        (above_left, above & right & ~left, False, True, True),
        (below_right, right & below & ~above, False, False, False),
        (below_right, left & below & ~above, True, False, True),
    ]
    found = [np.flatnonzero(is_turn & (label > 0)) for label, is_turn, *_ in cases]
    place = np.concatenate([corner[where] for where in found])
    label = np.concatenate([case[0][where] for case, where in zip(cases, found, strict=True)])
    is_left, is_upper, is_tail = (
        np.repeat([case[flag] for case in cases], [len(where) for where in found]) for flag in (2, 3, 4)
    )
    # Two turns in one place, at touching corners: the edge on the left comes first.
    order = np.argsort((label.astype(np.int64) * padded.size + place) * 2 + is_left)
    row, column = np.divmod(place[order].astype(np.int32), np.int32(width))
    return _Turns(label[order], row, column, is_tail[order], is_upper[order])


def _corners(padded: Int32[np.ndarray, "height width"]) -> tuple[Int64[np.ndarray, " n"], UInt8[np.ndarray, " n"]]:
    # The corner at the lower right of a pixel, as the pixel's flat index; only corners at which a label turns.
    beside = (padded[:, :-1] == padded[:, 1:]).view(np.uint8)
    under = (padded[:-1] == padded[1:]).view(np.uint8)
    kind = np.full(padded.shape, STRAIGHT[0], np.uint8)
    inner = kind[:-1, :-1]
    np.multiply(beside[1:], BELOW, out=inner)
    inner |= beside[:-1]
    inner |= under[:, :-1] << 1
    inner |= under[:, 1:] << 2
    is_turn = (kind != STRAIGHT[0]) & (kind != STRAIGHT[1]) & (kind != STRAIGHT[2])
    corner = np.flatnonzero(is_turn)
    return corner, kind.ravel()[corner]


def _follower(turns: _Turns) -> Int32[np.ndarray, " edges"]:
    # Of each horizontal edge (2k, 2k + 1) the horizontal edge that the outline comes to next.
    count = len(turns.label)
    down = (turns.column.astype(np.int64) * (int(turns.row.max(initial=0)) + 1) + turns.row) * 2 + turns.is_upper
    order = np.argsort(turns.label.astype(np.int64) * (int(down.max(initial=0)) + 1) + down)
    other_end = np.empty(count, np.int32)
    other_end[order[0::2]], other_end[order[1::2]] = order[1::2], order[0::2]
    head = np.arange(0, count, 2, dtype=np.int32) + turns.is_tail[0::2]
    return other_end[head] >> 1


def _first_of_cycle(follower: Int32[np.ndarray, " edges"]) -> Int32[np.ndarray, " edges"]:
    # Of each edge the first one in its ring: the uppermost, of several the leftmost. Steps double, so rings may be
    # long.
    first, ahead = np.arange(len(follower), dtype=np.int32), follower
    while not np.array_equal(first, first[follower]):
        first = np.minimum(first, first[ahead])
        ahead = ahead[ahead]
    return first


def _parted(
    turns: _Turns, follower: Int32[np.ndarray, " edges"], first: Int32[np.ndarray, " edges"]
) -> Int32[np.ndarray, " edges"]:
    # A ring that touches itself is two: at the place where it does, what comes in on either edge goes out on the other.
    same = (turns.label[1:] == turns.label[:-1]) & (turns.row[1:] == turns.row[:-1])
    one = np.flatnonzero(same & (turns.column[1:] == turns.column[:-1]))
    one = one[first[one >> 1] == first[(one + 1) >> 1]]
    parted, comes_from = follower.copy(), np.empty_like(follower)
    is_tail = turns.is_tail[one]
    heads = one[~is_tail] >> 1
    parted[heads], parted[heads + 1] = parted[heads + 1], parted[heads]
    comes_from[parted] = np.arange(len(parted), dtype=np.int32)
    tails = one[is_tail] >> 1
    parted[comes_from[tails]], parted[comes_from[tails + 1]] = tails + 1, tails
    return parted


def _rings(turns: _Turns, follower: Int32[np.ndarray, " edges"], first: Int32[np.ndarray, " edges"]) -> Traced:
    starts, sizes = np.unique(first, return_counts=True)
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(2 * sizes)])
    ring = np.empty(len(follower), np.int32)
    ring[starts] = np.arange(len(starts), dtype=np.int32)
    ring = ring[first]
    place = start[ring + 1] // 2 - _steps_to_end(follower, first)
    edges = np.empty(len(follower), np.int64)
    edges[place] = np.arange(len(follower))
    tails = 2 * edges + ~turns.is_tail[0::2][edges]
    corners = np.stack([tails, tails ^ 1], axis=1).ravel()
    vertices = np.stack([turns.column[corners], turns.row[corners]], axis=1)
    # Its uppermost edge runs to the right where the label is below, to the left where a hole is.
    return (turns.label[2 * starts], ~turns.is_tail[2 * starts], start, vertices)


def _steps_to_end(
    follower: Int32[np.ndarray, " edges"], first: Int32[np.ndarray, " edges"]
) -> Int32[np.ndarray, " edges"]:
    # How many edges there are from each to the last of its ring, both counted.
    is_last = follower == first
    steps = np.where(is_last, 0, 1).astype(np.int32)
    ahead = np.where(is_last, np.arange(len(follower), dtype=np.int32), follower)
    while steps[ahead].any():
        steps += steps[ahead]
        ahead = ahead[ahead]
    return steps + 1
