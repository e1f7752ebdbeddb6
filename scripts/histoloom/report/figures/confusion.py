"""The confusion matrix of one architecture: which class is taken for which, over all annotated pixels."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from histoloom.report.figures.panel_rows import drawable, shortened
from histoloom.report.figures.style import MUTED, PALE, house_style

CELL_IN, MARGIN_IN = 0.95, 2.3
COLOUR_MAP = "cividis"  # Nuñez, Anderton & Renslow 2018: even in lightness for any colour vision
THOUSAND = 1000
FOOTNOTE = (
    "pixels: sum over all test images, each once (mean over the folds that tested it)\n"
    "pale row: class absent from truth"
)


def pixel_counts(
    names: Sequence[str], confusion: Num[np.ndarray, "images classes classes"]
) -> Float[np.ndarray, "classes classes"]:
    """Add up the confusion matrices of images: entry [t, p] is pixels of truth t that were predicted p.

    Each image counts once, with the mean over the folds that tested it, as in the tables.
    """
    _, place, folds = np.unique(np.array(names, dtype=str), return_inverse=True, return_counts=True)
    return np.tensordot(1 / folds[place], confusion, axes=1)


def row_shares(counts: Float[np.ndarray, "classes classes"]) -> Float[np.ndarray, "classes classes"]:
    """Share in [0, 1] of each truth class that went to each prediction; NaN where truth has no such pixel.

    >>> row_shares(np.array([[3.0, 1.0], [0.0, 0.0]]))
    array([[0.75, 0.25],
           [ nan,  nan]])
    """
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def short_count(count: int) -> str:
    """A count of pixels that fits a cell.

    >>> [short_count(n) for n in (0, 999, 1500, 2_340_000, 999_999)]
    ['0', '999', '1.5 k', '2.3 M', '1.0 M']
    """
    value = float(count)
    for unit in ("", " k", " M", " G"):
        if round(value, 1) < THOUSAND:
            return f"{value:.1f}{unit}" if unit else str(count)
        value /= THOUSAND
    return f"{value:.1f} T"


def draw_confusion(counts: Float[np.ndarray, "classes classes"], classes: Sequence[str], title: str) -> Figure:
    """Draw truth in rows and prediction in columns: colour and percentage are shares of the row, below are pixels.

    Background is kept, since most errors of a nucleus are pixels lost to it or gained from it.
    """
    side = CELL_IN * len(classes)
    with house_style():
        figure = Figure(figsize=(side + MARGIN_IN + 0.6, side + MARGIN_IN - 0.4), layout="compressed")
        panel = figure.subplots()
        shares = row_shares(counts)
        colour_map = matplotlib.colormaps[COLOUR_MAP].with_extremes(bad=PALE)
        picture = panel.imshow(shares, cmap=colour_map, vmin=0, vmax=1)
        _write_cells(panel, counts, shares)
        _label(panel, classes, title)
        bar = figure.colorbar(picture, ax=panel, fraction=0.046, pad=0.03, format=lambda share, _: f"{share:.0%}")
        bar.set_label("share of the true class's pixels")
        bar.outline.set_visible(False)
        figure.supxlabel(FOOTNOTE, fontsize=8)
    return figure


def _write_cells(
    panel: Axes, counts: Float[np.ndarray, "classes classes"], shares: Float[np.ndarray, "classes classes"]
) -> None:
    for (truth, predicted), count in np.ndenumerate(counts):
        share = shares[truth, predicted]
        known = not np.isnan(share)
        # white on the dark end of cividis, black on the light one: at 0.46 both contrast 4.5 to 1 (WCAG AA)
        colour = ("white" if share < 0.46 else "black") if known else MUTED
        text = f"{share:.1%}\n{short_count(round(count))}" if known else "no truth"
        panel.text(predicted, truth, text, ha="center", va="center", color=colour, fontsize=8.5)


def _label(panel: Axes, classes: Sequence[str], title: str) -> None:
    ticks = range(len(classes))
    names = [drawable(shortened(name, 24)) for name in classes]
    panel.set_xticks(ticks, names, rotation=30, ha="right", rotation_mode="anchor")
    panel.set_yticks(ticks, names)
    panel.set_xlabel("predicted class")
    panel.set_ylabel("true class")
    panel.set_title(drawable(shortened(title)), weight="bold")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    for edge in np.arange(0.5, len(classes) - 1):
        panel.axhline(edge, color="white", lw=1.5)
        panel.axvline(edge, color="white", lw=1.5)
