"""Area, place, class and extent of every nucleus of an instance map, from runs of pixels instead of single ones."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt8, UInt32


@dataclass(frozen=True)
class Measures:
    """What is measured of N nuclei: all whole numbers, so that every block of a slide finds the same.

    `row_sum` and `column_sum` are over the indices of the pixels, `class_sums` over the probabilities (255 = 1) of each
    class but background. `box` is the first row and column and the last row and column, both included.
    """

    area_px: Int64[np.ndarray, " nuclei"]
    row_sum: Int64[np.ndarray, " nuclei"]
    column_sum: Int64[np.ndarray, " nuclei"]
    class_sums: Int64[np.ndarray, "nuclei classes"]
    box: Int64[np.ndarray, "nuclei 4"]

    def at(self, top: int, left: int) -> "Measures":
        """The same, counted from `top` rows above and `left` columns left of the map's first pixel."""
        rows, columns = self.row_sum + top * self.area_px, self.column_sum + left * self.area_px
        return Measures(self.area_px, rows, columns, self.class_sums, self.box + np.array([top, left] * 2))

    def of(self, is_kept: Bool[np.ndarray, " nuclei"]) -> "Measures":
        """Those of some nuclei."""
        return Measures(*(getattr(self, field.name)[is_kept] for field in fields(self)))


def measured(
    nuclei: Int32[np.ndarray, "height width"], probabilities: UInt8[np.ndarray, "height width classes"]
) -> Measures:
    """Measure the nuclei of ids 1 to N, none of which is missing."""
    starts, lengths, ids = _runs(nuclei)
    count, width = int(nuclei.max(initial=0)), nuclei.shape[1]
    rows, columns = np.divmod(starts, width)
    lasts = columns + lengths - 1
    class_sums = [
        _total(ids, _run_sums(probabilities[..., index], starts, lengths), count)
        for index in range(1, probabilities.shape[2])
    ]
    return Measures(
        _total(ids, lengths, count),
        _total(ids, rows * lengths, count),
        _total(ids, (columns + lasts) * lengths, count) // 2,
        np.stack(class_sums, axis=1),
        _boxes(ids, rows, columns, lasts, count),
    )


def _runs(
    nuclei: Int32[np.ndarray, "height width"],
) -> tuple[Int64[np.ndarray, " runs"], Int64[np.ndarray, " runs"], Int32[np.ndarray, " runs"]]:
    # Stretches of one nucleus within a row: flat index of the first pixel, how many pixels, id.
    is_start = np.ones(nuclei.shape, bool)
    np.not_equal(nuclei[:, 1:], nuclei[:, :-1], out=is_start[:, 1:])
    starts = np.flatnonzero(is_start)
    lengths = np.diff(starts, append=nuclei.size)
    ids = nuclei.ravel()[starts]
    is_nucleus = ids > 0
    return starts[is_nucleus], lengths[is_nucleus], ids[is_nucleus]


def _run_sums(
    plane: UInt8[np.ndarray, "height width"], starts: Int64[np.ndarray, " runs"], lengths: Int64[np.ndarray, " runs"]
) -> UInt32[np.ndarray, " runs"]:
    # In 32 bits the sums from the first pixel on may start again from 0, but not the difference of two of a run.
    until = np.zeros(plane.size + 1, np.uint32)
    np.cumsum(plane, dtype=np.uint32, out=until[1:])
    return until[starts + lengths] - until[starts]


def _total(
    ids: Int32[np.ndarray, " runs"], values: Int64[np.ndarray, " runs"] | UInt32[np.ndarray, " runs"], count: int
) -> Int64[np.ndarray, " nuclei"]:
    # bincount adds in 64-bit floats, which hold these whole numbers exactly.
    return np.bincount(ids, values, minlength=count + 1)[1:].astype(np.int64)


def _boxes(
    ids: Int32[np.ndarray, " runs"],
    rows: Int64[np.ndarray, " runs"],
    firsts: Int64[np.ndarray, " runs"],
    lasts: Int64[np.ndarray, " runs"],
    count: int,
) -> Int64[np.ndarray, "nuclei 4"]:
    largest = np.iinfo(np.int64).max
    box = np.stack([np.full(count + 1, fill) for fill in (largest, largest, -1, -1)])
    np.minimum.at(box[0], ids, rows)
    np.minimum.at(box[1], ids, firsts)
    np.maximum.at(box[2], ids, rows)
    np.maximum.at(box[3], ids, lasts)
    return box.T[1:]
