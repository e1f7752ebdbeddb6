"""The window in which the nuclei of a large image are shown: of a whole one their outlines would hide each other."""

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from histoloom.report.figures.style import INK
from histoloom.sample import IGNORE

WINDOW_PX = 400
LARGEST_WHOLE_PX = 600
STEP_PX = 100

Window = tuple[slice, slice]


def window_of(truth: UInt8[np.ndarray, "height width"]) -> Window:
    """Where truth has most foreground, 400 px square, or the whole image where no side is longer than 600 px.

    Of equal windows it is the uppermost, then the leftmost.
    """
    if max(truth.shape) <= LARGEST_WHOLE_PX:
        return whole(truth)
    height, width = truth.shape
    foreground = (truth > 0) & (truth != IGNORE)
    windows = [
        np.s_[row : min(row + WINDOW_PX, height), column : min(column + WINDOW_PX, width)]
        for row in _starts(height)
        for column in _starts(width)
    ]
    return max(windows, key=lambda window: int(foreground[window].sum()))


def whole(truth: UInt8[np.ndarray, "height width"]) -> Window:
    """The window that is the whole image."""
    return np.s_[0 : truth.shape[0], 0 : truth.shape[1]]


def is_whole(window: Window, pixels: UInt8[np.ndarray, "height width"]) -> bool:
    """Whether a window is the whole image."""
    return pixels[window].shape == pixels.shape


def draw_window(panel: Axes, window: Window, shape: tuple[int, int], shown: tuple[int, int]) -> None:
    """Frame the window in a panel that shows an image of `shape` (height, width) by `shown` pixels."""
    rows, columns = window
    scale = shown[1] / shape[1]
    corner = (columns.start * scale - 0.5, rows.start * scale - 0.5)
    size = ((columns.stop - columns.start) * scale, (rows.stop - rows.start) * scale)
    for colour, width in (("white", 2.4), (INK, 1.2)):
        panel.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, lw=width))


def _starts(side: int) -> list[int]:
    last = max(0, side - WINDOW_PX)
    return [*range(0, last, STEP_PX), last]
