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
# How a label may turn at a corner: whose it is (of the pixels above left, above right, below left, below right); which
# neighbours are alike there and which are not; whether its vertical edge lies below, and whether the outline, which has
# the label on its right-hand side, goes on along the horizontal one. That one lies to the left in the first four cases
# and to the right in the others.
CASES = (
    (0, 0, ABOVE | LEFT, False, True),
    (2, 0, BELOW | LEFT, True, False),
    (0, ABOVE | RIGHT, LEFT, True, True),
    (3, RIGHT | BELOW, ABOVE, False, False),
    (1, 0, ABOVE | RIGHT, False, False),
    (3, 0, BELOW | RIGHT, True, True),
    (0, ABOVE | LEFT, RIGHT, True, False),
    (3, LEFT | BELOW, ABOVE, False, True),
)
WHOSE, ALIKE, UNLIKE, IS_UPPER, IS_TAIL = (np.array(column) for column in zip(*CASES, strict=True))
KINDS = np.arange(16)[:, None]
IS_TURN = (KINDS & ALIKE == ALIKE) & (KINDS & UNLIKE == 0)


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
    beside = np.stack([pixels[corner + move] for move in (0, 1, width, width + 1)], axis=1)
    found = np.flatnonzero(IS_TURN[kind] & (beside > 0)[:, WHOSE])
    number, case = found >> 3, found & 7
    label = beside[number, WHOSE[case]]
    order = _order(label)
    label, number, case = label[order], number[order], case[order]
    row, column = np.divmod(corner[number].astype(np.int32), np.int32(width))
    return _Turns(label, row, column, IS_TAIL[case], IS_UPPER[case])


def _order(*keys: Int32[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    # Which comes first, second, ... by the first key, then the second, of equals as they were. No key is negative.
    order = np.arange(len(keys[0]))
    for key in reversed(keys):
        # What has 16 bits is sorted by counting, ten times as fast.
        short = key.astype(np.min_scalar_type(int(key.max(initial=0))))
        order = order[np.argsort(short[order], kind="stable")]
    return order


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
    order = _order(turns.label, turns.column, 2 * turns.row + turns.is_upper)
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
    starts = np.flatnonzero(first == np.arange(len(first)))
    sizes = np.bincount(first)[starts]
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
