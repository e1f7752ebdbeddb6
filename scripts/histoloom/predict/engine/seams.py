"""How visible the borders of tiles are in what was blended from them."""

import numpy as np
from jaxtyping import Bool, Real


class Seams:
    """Differences of neighbouring pixels across tile borders and elsewhere, counted rows by rows from the top.

    Tiles begin at every multiple of `stride` pixels, and end there too.
    """

    def __init__(self, stride: int) -> None:
        self.stride = stride
        self._sums = np.zeros((2, 2))  # across borders and elsewhere: sum of the differences, number of pixels
        self._above: tuple[int, np.ndarray, np.ndarray] | None = None

    def add(
        self,
        first: int,
        values: Real[np.ndarray, "rows width channels"],
        inside: Bool[np.ndarray, "rows width"] | None = None,
    ) -> None:
        """Count the rows from row `first` on; only neighbours that both lie `inside`, where that is given.

        Rows that follow those added last are compared with them; others are not.
        """
        inside = np.ones(values.shape[:2], bool) if inside is None else inside
        values = values.astype(np.float32)
        self._count(values.swapaxes(0, 1), inside.swapaxes(0, 1), 0)
        self._count(values, inside, first)
        if self._above and self._above[0] == first:
            pair = np.concatenate([self._above[1], values[:1]]), np.concatenate([self._above[2], inside[:1]])
            self._count(*pair, first - 1)
        self._above = (first + len(values), values[-1:], inside[-1:])

    @property
    def index(self) -> float:
        """Mean absolute difference across tile borders, divided by that of all other neighbours.

        1 where a border is a place like any other, above 1 where tiles disagree; NaN where no neighbours differ but
        across borders, or nothing has a border in it.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            across, elsewhere = self._sums[:, 0] / self._sums[:, 1]
            return float(across / elsewhere) if elsewhere > 0 else float("nan")

    def _count(
        self, values: Real[np.ndarray, "lines across channels"], inside: Bool[np.ndarray, "lines across"], first: int
    ) -> None:
        # Neighbouring lines of pixels, the first of which is line `first` of the whole.
        both = inside[1:] & inside[:-1]
        steps = (np.abs(np.diff(values, axis=0)).sum(axis=2) * both).sum(axis=1, dtype=np.float64)
        pixels = both.sum(axis=1)
        is_border = np.arange(first + 1, first + len(values)) % self.stride == 0
        self._sums += [[steps[kind].sum(), pixels[kind].sum()] for kind in (is_border, ~is_border)]


def seam_index(values: Real[np.ndarray, "height width channels"], stride: int) -> float:
    """The index of one image; see Seams."""
    seams = Seams(stride)
    seams.add(0, values)
    return seams.index
