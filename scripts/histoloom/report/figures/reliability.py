"""Reliability curves: of the pixels given some probability of a class, how many are of it; and how many these are."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle

import numpy as np
from jaxtyping import Float64, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from histoloom.evaluate.counting.facts import ANY
from histoloom.evaluate.counting.probability_histogram import BINS, calibration_bins
from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.metrics.ece import ece
from histoloom.report.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, PALE, PURPLE, SKY, house_style

FEW_PIXELS = 100  # a bin with fewer has no point on the curve: its share is an accident
ACROSS = 3
PANEL_IN, WORDS_IN, COUNTS_IN, LEGEND_IN, LEGEND_LINE_IN = 3.0, 6.0, 1.25, 0.85, 0.2
HANDLE_IN, LETTER_IN = 0.6, 0.08  # of the legend, at the widest
DIAGONAL = {"color": INK, "lw": 1, "ls": (0, (1, 2)), "zorder": 3, "label": "as predicted"}
HALO = [withStroke(linewidth=2.5, foreground="white")]  # of words that a curve may run through
VERMILLION = "#D55E00"  # as the other colours from Okabe & Ito 2008
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, INK)
MARKERS, DASHES = "osD^vPX*", ("-", "--", "-.")  # 7, 8 and 3 of them: 168 architectures differ, in grey prints too
FOOTNOTE = (
    f"{BINS} bins of equal width; pixels of all test images, each image once (mean over the folds that tested it)\n"
    f"no point where fewer than {FEW_PIXELS} pixels; ECE: expected calibration error of these pixels"
)


def image_sum(counts: Counts) -> Float64[np.ndarray, "rows 512"]:
    """Add up the probabilities of all images, each once: with the mean over the folds that tested it.

    All zero where the architecture, such as a baseline, gives no probabilities.
    """
    folds = counts.images.groupby("name")["fold"].transform("size").to_numpy(np.float64)
    return np.tensordot(1 / folds, counts.facts["probabilities"], axes=1)


def draw_reliability(
    probabilities: Mapping[str, Num[np.ndarray, "rows 512"]], classes: Sequence[str], title: str
) -> Figure:
    """Draw a panel for all foreground and one for each foreground class, with a curve for each architecture.

    `probabilities` are the summed facts by architecture (see evaluate.counting.probability_histogram). A point stands
    at the mean probability of a bin's pixels and at the share of them that is of the class; the counts have a
    logarithmic axis, since most pixels are sure.

    Source: Niculescu-Mizil and Caruana, Predicting good probabilities with supervised learning, ICML 2005.
    """
    rows = drawn_rows(classes)
    across, down = min(ACROSS, len(rows)), -(-len(rows) // ACROSS)
    with house_style():
        figure = Figure(figsize=_size(across, down, probabilities), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", weight="bold")
        grid = figure.subplots(2 * down, across, squeeze=False, sharex=True, sharey="row", height_ratios=[3, 1] * down)
        pairs = list(zip(grid[::2].ravel(), grid[1::2].ravel(), strict=True))
        for (shares, pixels), (name, row) in zip(pairs, rows.items(), strict=False):
            of_class = {architecture: each[row] for architecture, each in probabilities.items()}
            _draw_shares(shares, name, of_class)
            _draw_pixels(pixels, of_class)
            pixels.set_ylim(_decades([each[list(rows.values())] for each in probabilities.values()]))
        for shares, pixels in pairs[::across]:
            shares.set_ylabel("share of pixels of the class")
            pixels.set_ylabel("pixels")
        for panel in (panel for pair in pairs[len(rows) :] for panel in pair):
            panel.set_axis_off()
        _add_legend(figure, probabilities)
    return figure


def drawn_rows(classes: Sequence[str]) -> dict[str, int]:
    """The name and the row of each panel; a single foreground class is all the foreground there is.

    >>> drawn_rows(["background", "tumour"]), drawn_rows(["background", "tumour", "stroma"])
    ({'tumour': 1}, {'foreground': 0, 'tumour': 1, 'stroma': 2})
    """
    named = {name: row for row, name in enumerate(classes) if row != ANY}
    return named if len(named) == 1 else {"foreground": ANY} | named


def description(probabilities: Mapping[str, Num[np.ndarray, "rows 512"]], classes: Sequence[str]) -> str:
    """Say in words what the figure shows: the calibration error of each architecture, class by class."""
    panels = (
        f"{name}: " + ", ".join(f"{architecture} {_ece(each[row])}" for architecture, each in probabilities.items())
        for name, row in drawn_rows(classes).items()
    )
    return "expected calibration error of " + "; ".join(panels)


def _draw_shares(panel: Axes, name: str, of_class: Mapping[str, Num[np.ndarray, "512"]]) -> None:
    panel.plot([0, 1], [0, 1], **DIAGONAL)
    corner = {"color": MUTED, "fontsize": 8, "transform": panel.transAxes, "zorder": 5, "path_effects": HALO}
    panel.text(0.03, 0.97, "predicted\ntoo low", va="top", **corner)
    panel.text(0.97, 0.03, "predicted\ntoo high", ha="right", **corner)
    for histogram, look in zip(of_class.values(), _looks(), strict=False):
        bins = calibration_bins(histogram)
        enough = bins.pixels >= FEW_PIXELS
        panel.plot(bins.probability[enough] / bins.pixels[enough], bins.own[enough] / bins.pixels[enough], ms=4, **look)
    errors = sorted({_ece(histogram) for histogram in of_class.values()})
    panel.set_title(f"{name}\nECE {' to '.join(dict.fromkeys([errors[0], errors[-1]]))}", loc="left")
    panel.set_xlim(-0.02, 1.02)
    panel.set_ylim(-0.02, 1.02)
    panel.grid(True, color=PALE)


def _draw_pixels(panel: Axes, of_class: Mapping[str, Num[np.ndarray, "512"]]) -> None:
    edges = np.linspace(0, 1, BINS + 1)
    for histogram, look in zip(of_class.values(), _looks(), strict=False):
        pixels = calibration_bins(histogram).pixels
        panel.stairs(pixels, edges, baseline=None, color=look["color"], ls=look["ls"], lw=1.3)
    panel.set_yscale("log", nonpositive="mask")
    panel.yaxis.set_major_locator(LogLocator(numticks=4))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(EngFormatter(places=0))  # 10 k, 100 k, 1 M
    panel.tick_params(labelbottom=True)
    panel.set_xlabel("predicted probability")


def _decades(histograms: Sequence[Num[np.ndarray, "rows 512"]]) -> tuple[float, float]:
    """Powers of ten around the pixels of all bins, alike in all panels, so that each axis has two labels at least."""
    pixels = calibration_bins(np.concatenate(histograms)).pixels
    low, high = max(pixels[pixels > 0].min(), 1.0), pixels.max()
    lower = np.floor(np.log10(low))
    return float(10**lower), float(10 ** max(np.ceil(np.log10(high)), lower + 1))


def _ece(histogram: Num[np.ndarray, "512"]) -> str:
    return f"{ece(histogram[None, None]).item():.3f}"


def _looks() -> Iterator[dict[str, str | float]]:
    looks = zip(cycle(COLOURS), cycle(MARKERS), cycle(DASHES), strict=False)
    return ({"color": colour, "marker": marker, "ls": dash, "lw": 1.6} for colour, marker, dash in looks)


def _add_legend(figure: Figure, architectures: Mapping[str, object]) -> None:
    lines = [Line2D([], [], ms=4, label=name, **look) for name, look in zip(architectures, _looks(), strict=False)]
    lines.append(Line2D([], [], **DIAGONAL))
    legend = figure.legend(
        handles=lines, loc="outside lower center", ncols=_legend_columns(figure.get_figwidth(), architectures)
    )
    legend.set_title(FOOTNOTE, prop={"size": 8})
    legend.get_title().set_multialignment("center")


def _size(across: int, down: int, architectures: Mapping[str, object]) -> tuple[float, float]:
    """Width and height in inches; one panel alone is made as wide as the words under it, and higher with it."""
    panel_in = max(PANEL_IN, WORDS_IN / across)
    lines = -(-(len(architectures) + 1) // _legend_columns(panel_in * across, architectures))
    return panel_in * across, (0.9 * panel_in + COUNTS_IN) * down + LEGEND_IN + LEGEND_LINE_IN * lines


def _legend_columns(width_in: float, architectures: Mapping[str, object]) -> int:
    longest = max(len(name) for name in (*architectures, DIAGONAL["label"]))
    return max(1, min(len(architectures) + 1, int(width_in / (HANDLE_IN + LETTER_IN * longest))))
