"""The overview of a slide: the slide, its classes drawn on it, and how dense its nuclei are, with a scale bar."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from histoloom.report.figures.panel_rows import drawable, shortened
from histoloom.report.figures.scale_bar import round_length
from histoloom.report.figures.style import DOTS_PER_INCH, INK, MUTED, SETTINGS, house_style
from histoloom.report.overlays import LUMINANCE
from histoloom.slides.class_colours import colours_of

TINT = 0.35  # share of a class's colour where it takes a pixel whole: nuclei stay to be seen
LINE_PX = 2
SMALLEST_OUTLINED_PX = 50  # smaller pieces are shown by their tint alone, else outlines of nuclei hide everything
SQUARE = np.ones((3, 3), np.uint8)
WHITENING = 0.6  # share of white in the grey slide under the density of nuclei
# cividis reads the same with any colour vision; in steps, since the picture has few colours.
DENSITY_COLOURS = colormaps["cividis"].resampled(16)
GAP_PX, HEADER_PX, FOOTER_PX, LEGEND_ROW_PX, LEGEND_ENTRY_PX = 20, 84, 92, 34, 300
FEWEST_PX = 900  # width of the page: the header of a narrow slide needs as much
USUAL_PX = 1600  # a page of this width is read at its own size; letters of wider ones are larger
LONGEST_NAME, LONGEST_CLASS = 60, 24
BAR_SHARE = 0.2  # of the width of the slide, at most


@dataclass(frozen=True)
class Overview:
    """What an overview shows: the slide's thumbnail, of `pixel_um` µm a pixel, its shown name, a line below that, and
    the share of each class in each pixel (255 is all of it), background first.

    `density` is nuclei per mm² in square cells of `cell` pixels of the thumbnail, or None.
    """

    picture: UInt8[np.ndarray, "height width 3"]
    pixel_um: float
    name: str
    note: str
    classes: Sequence[str]
    shares: UInt8[np.ndarray, "height width classes"]
    density: Float64[np.ndarray, "rows columns"] | None = None
    cell: float = 1.0


def draw_overview(overview: Overview) -> Figure:
    """Draw the slide and its classes, side by side or, where it is wider than high, one below the other.

    Each pixel is tinted by the shares of the classes in it; what one class takes most of is outlined, where it has 50
    pixels and more. The layout is in pixels, so that the slide is shown pixel by pixel at 150 dots per inch; letters
    grow with the picture, which is looked at as a whole.
    """
    panels = [overview.picture, drawn_classes(overview.picture, overview.shares, colours_of(overview.classes))]
    if overview.density is not None:
        panels.append(drawn_density(overview.picture, overview.density, overview.cell))
    picture = _joined(panels)
    page = _Page(max(picture.shape[1] + 2 * GAP_PX, FEWEST_PX), picture.shape[0], len(overview.classes) - 1)
    with house_style():
        sizes = {name: size * page.scale for name, size in SETTINGS.items() if name.endswith("size")}
        matplotlib.rcParams.update(sizes | {"axes.linewidth": page.scale})
        figure = Figure(figsize=(page.width / DOTS_PER_INCH, page.height / DOTS_PER_INCH), dpi=DOTS_PER_INCH)
        panel = figure.add_axes(page.box(GAP_PX, page.header, picture.shape[1], picture.shape[0]))
        panel.imshow(picture, interpolation="nearest", aspect="auto")
        panel.set_axis_off()
        left, top, _, _ = page.box(GAP_PX, 14 * page.scale, 0, 0)
        figure.text(left, top, drawable(shortened(overview.name, LONGEST_NAME)), va="top", weight="bold")
        figure.text(left, top - 32 * page.scale / page.height, drawable(overview.note), va="top", color=MUTED)
        _draw_scale_bar(figure, page, overview)
        _draw_legend(figure, page, overview.classes)
        if overview.density is not None:
            _draw_density_scale(figure, page, float(overview.density.max(initial=0)))
    return figure


@dataclass(frozen=True)
class _Page:
    """Where things are on the page, in pixels from its top left corner; `scale` is the size of letters."""

    width: int
    picture_height: int
    entries: int

    @property
    def scale(self) -> float:
        return max(1.0, self.width / USUAL_PX)

    @property
    def header(self) -> int:
        return round(HEADER_PX * self.scale)

    @property
    def footer(self) -> int:
        """Where what is below the picture begins."""
        return self.header + self.picture_height

    @property
    def columns(self) -> int:
        """Of the legend."""
        return max(1, int(self.width / (LEGEND_ENTRY_PX * self.scale)))

    @property
    def height(self) -> int:
        rows = math.ceil(self.entries / self.columns)
        return self.footer + round((FOOTER_PX + LEGEND_ROW_PX * rows) * self.scale)

    def box(
        self, left: int | float, top: int | float, width: int | float, height: int | float
    ) -> tuple[float, float, float, float]:
        """A place in matplotlib's measures: shares of the page, from its lower left corner."""
        return left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height


def drawn_classes(
    picture: UInt8[np.ndarray, "height width 3"],
    shares: UInt8[np.ndarray, "height width classes"],
    colours: UInt8[np.ndarray, "classes 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Tint a picture by the classes' shares, and outline what each one takes most of; background is not drawn."""
    weights = shares[..., 1:].astype(np.float32) * (TINT / 255)
    tinted = picture * (1 - weights.sum(2, keepdims=True)) + weights @ colours[1:].astype(np.float32)
    drawn, main = np.rint(tinted).astype(np.uint8), shares.argmax(2)
    regions = [_without_small(main == index) for index in range(len(colours))]
    foreground = np.any(regions[1:], axis=0)
    for index in range(1, len(colours)):
        region = regions[index].astype(np.uint8)
        # The picture's border is no border of a region.
        inside = cv2.erode(region, SQUARE, iterations=LINE_PX, borderValue=1)
        around = cv2.dilate(region, SQUARE) > 0
        drawn[around & ~foreground] = 0 if colours[index] @ LUMINANCE > 140 else 255
        drawn[(region > 0) & (inside == 0)] = colours[index]
    return drawn


def drawn_density(
    picture: UInt8[np.ndarray, "height width 3"], density: Float[np.ndarray, "rows columns"], cell: float
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture in pale grey, with the colour of each cell's density where there are nuclei."""
    places = (
        np.minimum((np.arange(side) + 0.5) / cell, limit - 1).astype(np.int64)
        for side, limit in zip(picture.shape[:2], density.shape, strict=True)
    )
    values = density[np.ix_(*places)]
    grey = picture.mean(axis=2, keepdims=True) * (1 - WHITENING) + 255 * WHITENING
    colours = DENSITY_COLOURS(values / max(float(density.max(initial=0)), 1e-9))[..., :3] * 255
    return np.rint(np.where((values > 0)[..., None], colours, grey)).astype(np.uint8)


def drawn_colours(classes: Sequence[str]) -> UInt8[np.ndarray, "drawn 3"]:
    """Every colour that the figure adds to the tissue, for a palette that keeps them."""
    steps = np.rint(DENSITY_COLOURS(np.arange(DENSITY_COLOURS.N))[:, :3] * 255).astype(np.uint8)
    return np.concatenate([colours_of(classes), steps, np.array([[0] * 3, [255] * 3], np.uint8)])


def _without_small(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return mask & (boxes[:, cv2.CC_STAT_AREA] >= SMALLEST_OUTLINED_PX)[numbers]


def _joined(panels: Sequence[UInt8[np.ndarray, "height width 3"]]) -> UInt8[np.ndarray, "rows columns 3"]:
    height, width = panels[0].shape[:2]
    axis = 0 if width > height else 1
    gap = np.full((GAP_PX, width, 3) if axis == 0 else (height, GAP_PX, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (gap, panel)]
    return np.concatenate(parts[1:], axis=axis)


def _draw_scale_bar(figure: Figure, page: _Page, overview: Overview) -> None:
    longest_px = BAR_SHARE * max(overview.picture.shape[1], 2 * LEGEND_ENTRY_PX)
    length_um = round_length(longest_px * overview.pixel_um)
    left, bottom, width, height = page.box(
        GAP_PX, page.footer + 18 * page.scale, length_um / overview.pixel_um, 8 * page.scale
    )
    figure.add_artist(Rectangle((left, bottom), width, height, transform=figure.transFigure, color=INK, lw=0))
    text = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"
    figure.text(left, bottom - height, text, va="top")


def _draw_legend(figure: Figure, page: _Page, classes: Sequence[str]) -> None:
    colours = colours_of(classes) / 255
    handles = [
        Patch(facecolor=(*colour, TINT), edgecolor=colour, lw=2, label=drawable(shortened(name, LONGEST_CLASS)))
        for name, colour in zip(classes[1:], colours[1:], strict=True)
    ]
    place = (GAP_PX / page.width, 0)
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=place, ncols=page.columns, borderaxespad=0)


def _draw_density_scale(figure: Figure, page: _Page, most: float) -> None:
    width, height = 380 * page.scale, 14 * page.scale
    panel = figure.add_axes(
        page.box(page.width - 40 * page.scale - width, page.footer + 18 * page.scale, width, height)
    )
    scale = ScalarMappable(Normalize(0, most or 1), DENSITY_COLOURS)
    bar = figure.colorbar(scale, cax=panel, orientation="horizontal", label="nuclei per mm²")
    ticks = [0, most / 2, most] if most else [0]
    bar.set_ticks(ticks, labels=[f"{value:,.0f}" for value in ticks])
