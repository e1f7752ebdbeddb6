"""The scale bar in the corner of a picture: a round length in micrometres, or in pixels where their size is unknown."""

import math

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from histoloom.report.figures.style import INK

ROUND = (1, 2, 5)  # a scale bar has one of these, times a power of ten
LONGEST_SHARE = 0.3  # of the picture's width
MARGIN_PT, BAR_PT, TEXT_PT, GAP_PT = 5.0, 3.0, 8.0, 2.5


def round_length(longest: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is no longer than `longest`.

    >>> round_length(730), round_length(2000), round_length(0.6)
    (500.0, 2000.0, 0.5)
    """
    power = math.floor(math.log10(longest))
    lengths = [float(f"{digit}e{exponent}") for exponent in (power - 1, power, power + 1) for digit in ROUND]
    return max(length for length in lengths if length <= longest * (1 + 1e-9))


def draw_scale_bar(panel: Axes, width_px: int, mpp: float | None) -> None:
    """Draw a scale bar on white at the lower left of a panel that is `width_px` pixels of `mpp` µm wide.

    The panel has its place in the figure already and no margins; where `mpp` is None the bar's unit is the pixel.
    """
    pixel, unit = (1.0, "px") if mpp is None else (mpp, "µm")
    length = round_length(max(LONGEST_SHARE * width_px * pixel, pixel))
    text = f"{length / 1000:g} mm" if unit == "µm" and length >= 1000 else f"{length:g} {unit}"
    box = panel.get_position()
    page = panel.figure.get_size_inches() * 72
    panel_pt = (box.width * page[0], box.height * page[1])
    share = length / (width_px * pixel)
    _draw(panel, text, share * panel_pt[0], panel_pt)


def _draw(panel: Axes, text: str, bar_pt: int | float, panel_pt: tuple[float, float]) -> None:
    """Measures are in points from the panel's lower left corner."""
    width, height = panel_pt
    bottom = MARGIN_PT + GAP_PT
    letters_pt = 0.62 * TEXT_PT * len(text)
    board = (max(bar_pt, letters_pt) + 2 * GAP_PT, BAR_PT + TEXT_PT + 3.2 * GAP_PT)
    style = {"transform": panel.transAxes, "lw": 0, "zorder": 5}
    panel.add_patch(
        Rectangle((MARGIN_PT / width, MARGIN_PT / height), board[0] / width, board[1] / height, fc="white", **style)
    )
    left = (MARGIN_PT + GAP_PT) / width
    panel.add_patch(Rectangle((left, bottom / height), bar_pt / width, BAR_PT / height, fc=INK, **style))
    top = (bottom + BAR_PT + GAP_PT) / height
    panel.text(left, top, text, transform=panel.transAxes, fontsize=TEXT_PT, va="bottom", zorder=6)
