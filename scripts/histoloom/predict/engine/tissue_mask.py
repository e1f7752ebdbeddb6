"""Where tissue lies on a grid of working pixels, by a mask of a lower resolution."""

import numpy as np
from jaxtyping import Bool, Int

from histoloom.errors import InputError


class TissueMask:
    """A mask whose pixels are squares of `scale` working pixels a side, whole or not, over `height` x `width` of them.

    A working pixel belongs to the mask's pixel in which its centre lies. Raises InputError for a mask that is more than
    a pixel of its own larger or smaller than that.
    """

    def __init__(self, mask: Bool[np.ndarray, "rows columns"], scale: float, height: int, width: int) -> None:
        expected = (height / scale, width / scale)
        if any(abs(side - length) > 1 for side, length in zip(mask.shape, expected, strict=True)):
            raise InputError(
                f"tissue mask: {mask.shape[0]} x {mask.shape[1]} pixels; expected {expected[0]:.1f} x "
                f"{expected[1]:.1f}, one for {scale:.3f} working pixels; find the tissue of this slide again"
            )
        self._mask = mask
        self._rows, self._columns = (
            _places(length, scale, side) for length, side in zip((height, width), mask.shape, strict=True)
        )

    def rows(self, first: int, last: int) -> Bool[np.ndarray, "rows width"]:
        """Which pixels of rows `first` up to but without `last` are tissue."""
        return self._mask[self._rows[first:last]][:, self._columns]

    def touched(
        self, first: int, last: int, lefts: Int[np.ndarray, " parts"], rights: Int[np.ndarray, " parts"]
    ) -> Bool[np.ndarray, " parts"]:
        """Which parts of those rows, columns `lefts` up to but without `rights`, hold tissue; maybe some that do not.

        Those are parts between whose pixels' centres the mask has a pixel, where it is finer than the working grid.
        """
        is_tissue = self._mask[self._rows[first] : self._rows[last - 1] + 1].any(axis=0)
        counts = np.concatenate([[0], np.cumsum(is_tissue)])
        return counts[self._columns[rights - 1] + 1] > counts[self._columns[lefts]]


def _places(length: int, scale: float, side: int) -> Int[np.ndarray, " length"]:
    # Rounding may leave the last working pixels just outside of the mask.
    return np.minimum((np.arange(length) + 0.5) / scale, side - 1).astype(np.int64)
