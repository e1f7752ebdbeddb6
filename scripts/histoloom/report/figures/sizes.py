"""How large the images of a dataset are, at which scale, and how large the nuclei of each class."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from histoloom.prepare.inspection.measure_tables import SQUARE_UM, area_edges, binned, nucleus_areas
from histoloom.prepare.inspection.measuring import Measured
from histoloom.report.figures.style import BLUE, MUTED, PALE, house_style
from histoloom.report.overlays import class_colours

FEW_TIMES = 30  # largest area over smallest: up to here the axis is marked between the powers of ten, too
MOST_BARS = 10  # more kinds of size are gathered in the last bar
WIDTH_IN, BAR_IN, CLASS_IN, MARGIN_IN = 10.0, 0.32, 0.75, 1.5


def draw_sizes(images: Sequence[Measured], dataset: str, classes: Sequence[str]) -> Figure:
    """Draw the number of images of each size and mpp, and beside it the areas of the nuclei of each class.

    Without nuclei only the first is drawn.
    """
    unit, areas = nucleus_areas(images, len(classes))
    drawn = [index for index, its_areas in enumerate(areas) if its_areas.size]
    kinds = kinds_of_size(images)
    inner = max(BAR_IN * len(kinds), CLASS_IN * len(drawn), 1.0)
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, MARGIN_IN + inner), layout="constrained")
        figure.suptitle(f"{dataset}: sizes", x=0.01, ha="left", weight="bold")
        left, right = figure.subfigures(1, 2, wspace=0.04)
        _draw_images(left.subplots(), kinds, room=int(inner / BAR_IN))
        if drawn:
            panels = list(right.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0])
            _draw_nuclei(panels, unit, [areas[index] for index in drawn], [(index, classes[index]) for index in drawn])
    return figure


def kinds_of_size(images: Sequence[Measured]) -> list[tuple[str, int]]:
    """Height, width and mpp as text, and how many images have them, most first; rare ones are gathered at the end."""
    counts = Counter((image.image_size, image.row.mpp) for image in images)
    order = sorted(counts, key=lambda kind: (-counts[kind], kind[0], kind[1] or 0.0))
    named = [(_kind(size, mpp), counts[size, mpp]) for size, mpp in order]
    if len(named) <= MOST_BARS:
        return named
    rest = order[MOST_BARS - 1 :]
    sizes = sorted(size for size, _ in rest)
    text = f"{len(rest)} others, {_size(sizes[0])} to {_size(sizes[-1])}"
    return [*named[: MOST_BARS - 1], (text, sum(counts[kind] for kind in rest))]


def _kind(size: tuple[int, ...], mpp: float | None) -> str:
    return f"{_size(size)}, " + (f"{mpp:g} µm/px" if mpp else "mpp unknown")


def _size(size: tuple[int, ...]) -> str:
    return f"{size[0]} x {size[1]}"


def _draw_images(panel: Axes, kinds: Sequence[tuple[str, int]], room: int) -> None:
    names, counts = zip(*kinds, strict=True)
    places = range(len(names))
    panel.barh(places, counts, height=0.6, color=BLUE)
    panel.set_yticks(places, names)
    panel.set_ylim(max(len(names), room) - 0.4, -0.6)  # `room` bars fit: fewer are no thicker
    panel.tick_params(axis="y", length=0)
    panel.xaxis.set_visible(False)
    panel.spines[:].set_visible(False)
    for place, count in zip(places, counts, strict=True):
        panel.annotate(f"{count:,}", (count, place), (4, 0), textcoords="offset points", va="center", color=MUTED)
    panel.margins(x=0.15)
    panel.set_title("number of images by height x width in px, and mpp", loc="left")


def _draw_nuclei(
    panels: Sequence[Axes],
    unit: str,
    areas: Sequence[Float64[np.ndarray, " _"]],
    classes: Sequence[tuple[int, str]],
) -> None:
    sign = "µm²" if unit == SQUARE_UM else "px"
    edges = area_edges(areas)
    colours = class_colours(max(index for index, _ in classes) + 1) / 255
    for panel, its_areas, (index, name) in zip(panels, areas, classes, strict=True):
        shares = binned(its_areas, edges) / its_areas.size
        colour = colours[index] if index else PALE
        panel.stairs(shares, edges, fill=True, facecolor=colour, edgecolor=MUTED, lw=0.8)
        median = float(np.median(its_areas))
        panel.axvline(median, color="black", lw=1, ls=(0, (3, 2)))
        text = f"{name}: {its_areas.size:,} nuclei, median {median:,.0f} {sign}"
        panel.set_title(text, loc="left", fontsize=8.5, pad=2)
        panel.set_xscale("log")
        panel.yaxis.set_major_locator(MaxNLocator(2))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
        panel.tick_params(axis="x", which="minor", length=0)
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.xaxis.set_major_locator(
            LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if edges[-1] < FEW_TIMES * edges[0] else (1,))
        )
        panel.xaxis.set_major_formatter(FuncFormatter(lambda area, _: f"{area:,g}"))
    panels[-1].set_xlabel(f"area of a nucleus in {sign}; share of the class's nuclei; dashed: median")
