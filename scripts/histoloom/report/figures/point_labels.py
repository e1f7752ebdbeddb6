"""Names beside the points of a scatter plot, placed so that none covers another, a point or the axes' edge."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import BboxBase

from histoloom.report.figures.style import INK, MUTED

# Degrees, the best first: beside, slantwise, above and below, between these.
DIRECTIONS = np.radians([0, 180, 45, 315, 135, 225, 90, 270, 20, 340, 160, 200, 65, 295, 115, 245])
DISTANCES_PT = np.array([7.0, 12, 18, 26, 36, 48, 62, 78, 96, 116, 138])
TOWARDS = np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], axis=1).round(3)
PLACES_PT = (DISTANCES_PT[:, None, None] * TOWARDS).reshape(-1, 2)  # of a label's near side or corner, from its point
MARKER_PT = 5.0  # what a label must keep free around each point
LEADER_FROM_PT = 11.0  # labels farther than this have a line to their point
HIDDEN, FAINT, FAR = 1000.0, 0.04, 0.04  # how bad: a pixel of a point or name covered, one of a line, a pt away


def label_points(
    panel: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], lines: Sequence[BboxBase] = ()
) -> list[Annotation]:
    """Write each name near its point: the nearest place that is free, else the one that covers least.

    `lines` are boxes that labels keep off where they can. Points and lines are in data units. The figure's layout is
    settled first and stays, since what is free depends on it.
    """
    figure = panel.get_figure(root=True)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    scale = figure.dpi / 72
    at = panel.transData.transform(np.reshape(points, (-1, 2)).astype(np.float64))
    taken = np.hstack([at - MARKER_PT * scale, at + MARKER_PT * scale])
    corners = [panel.transData.transform_bbox(line).padded(scale).extents for line in lines]
    faint = np.reshape(corners, (-1, 4)).astype(np.float64)
    labels = []
    for point, pixel, name in zip(points, at, names, strict=True):
        label = panel.annotate(name, point, (0, 0), textcoords="offset points", fontsize=8, color=INK, zorder=5)
        label.set_path_effects([withStroke(linewidth=2, foreground="white")])
        size = label.get_window_extent()
        boxes = _boxes(pixel, np.array([size.width, size.height]), scale)
        best = int(np.argmin(_costs(boxes, taken, faint, panel.bbox.extents)))
        _move(panel, label, point, PLACES_PT[best])
        taken = np.vstack([taken, boxes[best]])
        labels.append(label)
    return labels


def _boxes(
    pixel: Float64[np.ndarray, "2"], size: Float64[np.ndarray, "2"], scale: float
) -> Float64[np.ndarray, "places 4"]:
    """What a label covers at each place, in pixels: its side or corner next to the point lies there."""
    share = (1 - np.sign(PLACES_PT)) / 2  # 0 where the label begins there, 1 where it ends, a half between
    low = pixel + PLACES_PT * scale - share * size
    return np.hstack([low, low + size])


def _costs(
    boxes: Float64[np.ndarray, "places 4"],
    taken: Float64[np.ndarray, "taken 4"],
    faint: Float64[np.ndarray, "lines 4"],
    inside: Float64[np.ndarray, "4"],
) -> Float64[np.ndarray, " places"]:
    within = _shared(boxes, inside[None]).sum(axis=1)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    hidden = _shared(boxes, taken).sum(axis=1) + (area - within)
    return HIDDEN * hidden + FAINT * _shared(boxes, faint).sum(axis=1) + FAR * np.repeat(DISTANCES_PT, len(TOWARDS))


def _shared(
    first: Float64[np.ndarray, "first 4"], second: Float64[np.ndarray, "second 4"]
) -> Float64[np.ndarray, "first second"]:
    """Area that each two boxes (left, bottom, right, top) share."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return (high - low).clip(0).prod(axis=2)


def _move(panel: Axes, label: Annotation, point: tuple[float, float], place: Float64[np.ndarray, "2"]) -> None:
    x, y = place.tolist()
    label.set_position((x, y))
    label.set_horizontalalignment("center" if x == 0 else "left" if x > 0 else "right")
    label.set_verticalalignment("center" if y == 0 else "bottom" if y > 0 else "top")
    if np.hypot(x, y) > LEADER_FROM_PT:
        line = {"arrowstyle": "-", "color": MUTED, "lw": 0.5, "shrinkA": 0, "shrinkB": 3}
        panel.annotate("", point, (x, y), textcoords="offset points", arrowprops=line, zorder=4)
