"""Outlines as lines of a figure, sharp at any size: truth and prediction over one another, or each class's colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32, UInt8
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from scipy.ndimage import find_objects
from skimage.measure import find_contours

from histoloom.report.overlays import LUMINANCE, OKABE_ITO, class_colours
from histoloom.sample import IGNORE

LINE_PT, AROUND_PT = 1.0, 2.0
DASHES_PT = (4.5, 3.5)
Ring = Float64[np.ndarray, "_ 2"]


@dataclass(frozen=True)
class Line:
    """How outlines are drawn: a line of one colour, with a contrasting line under it, whole or in dashes."""

    colour: UInt8[np.ndarray, "3"]
    is_dashed: bool = False

    @property
    def around(self) -> str:
        """The colour under it: white below dark ones, black below light ones."""
        return "black" if self.colour @ LUMINANCE > 140 else "white"


# Blue and yellow differ most of all pairs of the palette, with any colour vision and in grey.
TRUTH, PREDICTED = Line(OKABE_ITO[5]), Line(OKABE_ITO[2], is_dashed=True)


def label_map(
    mask: UInt8[np.ndarray, "height width"], nuclei: Int32[np.ndarray, "height width"] | None
) -> tuple[Int32[np.ndarray, "height width"], UInt8[np.ndarray, " labels"]]:
    """Number the regions of a mask from 1, touching nuclei apart; and the class of each, its first entry background's.

    A region is what one class takes, or of it what one nucleus takes. What nobody annotated (255) is in none.
    """
    foreground = (mask > 0) & (mask != IGNORE)
    keys = np.where(foreground, mask, 0).astype(np.int64)
    if nuclei is not None:
        keys += 256 * nuclei.astype(np.int64) * foreground
    values, labels = np.unique(np.append(keys, 0), return_inverse=True)
    return labels[:-1].reshape(mask.shape).astype(np.int32), (values % 256).astype(np.uint8)


def rings(labels: Int32[np.ndarray, "height width"]) -> dict[int, list[Ring]]:
    """The outlines of each label above 0 as points (x, y), pixel centres being whole numbers.

    A line runs half-way between pixels inside and outside, and along the border of the image, so that a region that
    takes all of an image is not taken for an image without one.
    """
    padded = np.pad(labels, 1)
    found = {}
    for label, window in enumerate(find_objects(padded), start=1):
        if window is None:
            continue
        rows, columns = (slice(max(0, side.start - 1), side.stop + 1) for side in window)
        lines = find_contours((padded[rows, columns] == label).astype(np.float64), 0.5)
        corner = np.array([columns.start - 1, rows.start - 1])
        found[label] = [line[:, ::-1] + corner for line in lines]
    return found


def draw_outlines(panel: Axes, lines: Sequence[Ring], line: Line) -> None:
    """Draw outlines, each with its contrasting line under it; dashes have theirs too, so what lies below is seen.

    Half of a line along the panel's border lies outside of it.
    """
    for colour, width in ((line.around, AROUND_PT), (line.colour / 255, LINE_PT)):
        dashes = (0, tuple(length / width for length in DASHES_PT)) if line.is_dashed else "solid"
        style = {"colors": [colour], "linewidths": width, "linestyles": [dashes], "capstyle": "butt"}
        made = LineCollection(lines, **style, clip_on=False)
        panel.add_collection(made, autolim=False)


def draw_classes(
    panel: Axes,
    mask: UInt8[np.ndarray, "height width"],
    nuclei: Int32[np.ndarray, "height width"] | None,
) -> None:
    """Outline the regions of a mask in the colours of their classes, touching nuclei one by one."""
    labels, classes = label_map(mask, nuclei)
    by_label = rings(labels)
    colours = class_colours(int(classes.max()) + 1)
    for index in np.unique(classes[1:]):
        lines = [ring for label, of_label in by_label.items() if classes[label] == index for ring in of_label]
        draw_outlines(panel, lines, Line(colours[index]))


def draw_both(
    panel: Axes,
    truth: Int32[np.ndarray, "height width"],
    predicted: Int32[np.ndarray, "height width"],
) -> None:
    """Outline the labels of truth and, over them in dashes, those of the prediction."""
    for labels, line in ((truth, TRUTH), (predicted, PREDICTED)):
        draw_outlines(panel, [ring for of_label in rings(labels).values() for ring in of_label], line)


def legend_lines(entries: Mapping[str, Line]) -> list[Line2D]:
    """Lines for a legend, drawn as in the picture."""
    return [
        Line2D(
            [], [], color=line.colour / 255, lw=LINE_PT * 1.4, ls=(0, DASHES_PT) if line.is_dashed else "-", label=name,
            path_effects=[Stroke(linewidth=AROUND_PT * 1.4, foreground=line.around), Normal()],
        )
        for name, line in entries.items()
    ]  # fmt: skip
