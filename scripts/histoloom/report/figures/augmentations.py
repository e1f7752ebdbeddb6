"""The contact sheet of augmentation: training tiles as they are, and as the network gets them epoch by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

import cv2
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from histoloom.report.figures.style import DOTS_PER_INCH, MUTED, PALE, house_style
from histoloom.report.overlays import HATCH_GREY, class_colours, outlined
from histoloom.sample import IGNORE

PANEL_PX, GAP_PX = 256, 8  # a tile of the usual 256 px is drawn pixel for pixel
LINE_PX, ROW_TITLE_PX, LEGEND_PX = 26, 34, 60
LINE_LETTERS, NAME_LETTERS = 150, 120

Tile = tuple[UInt8[np.ndarray, "tile tile 3"], UInt8[np.ndarray, "tile tile"]]


@dataclass(frozen=True)
class Row:
    """One training window: what it is called, and its tile (image and mask) as it is, then in each epoch."""

    title: str
    tiles: Sequence[Tile]


def draw_augmentations(
    rows: Sequence[Row], title: str, strengths: Mapping[str, bool | float | int], classes: Sequence[str]
) -> Figure:
    """Draw one line of tiles for each window, with class outlines: as it is, then as made for epochs 1, 2, ...

    `strengths` are the settings that are on; they are written under the title.
    """
    told = ", ".join(name if value is True else f"{name} {value:g}" for name, value in strengths.items())
    lines = wrap(told or "no augmentation", LINE_LETTERS)
    columns = len(rows[0].tiles)
    width = GAP_PX + columns * (PANEL_PX + GAP_PX)
    top = GAP_PX + LINE_PX * (1 + len(lines))
    height = top + LINE_PX + len(rows) * (ROW_TITLE_PX + PANEL_PX) + LEGEND_PX
    with house_style():
        figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), layout="none")
        _write(figure, GAP_PX, GAP_PX, title, weight="bold")
        for place, line in enumerate(lines, start=1):
            _write(figure, GAP_PX, GAP_PX + LINE_PX * place, line, color=MUTED)
        for place in range(columns):
            _write(figure, _left(place), top, f"epoch {place}" if place else "as it is")
        for place, row in enumerate(rows):
            _draw_row(figure, row, top + LINE_PX + place * (ROW_TITLE_PX + PANEL_PX))
        figure.legend(handles=_legend(rows, classes), loc="lower left", ncols=8, borderaxespad=0.6)
    return figure


def drawn_colours(class_count: int) -> UInt8[np.ndarray, "drawn 3"]:
    """Colours of outlines, hatching, text and paper, which a PNG with few colours must keep as they are."""
    return np.concatenate([class_colours(class_count), np.array([[0] * 3, [HATCH_GREY] * 3, [255] * 3], np.uint8)])


def _draw_row(figure: Figure, row: Row, top: int) -> None:
    width, height = _size_px(figure)
    title = row.title if len(row.title) <= NAME_LETTERS else f"{row.title[: NAME_LETTERS - 1]}…"
    _write(figure, GAP_PX, top + GAP_PX, title)
    bottom = height - top - ROW_TITLE_PX - PANEL_PX
    for place, (image, mask) in enumerate(row.tiles):
        panel = figure.add_axes((_left(place) / width, bottom / height, PANEL_PX / width, PANEL_PX / height))
        panel.imshow(_picture(image, mask), interpolation="nearest", aspect="auto")
        panel.set_axis_off()


def _left(place: int) -> int:
    return GAP_PX + place * (PANEL_PX + GAP_PX)


def _picture(
    image: UInt8[np.ndarray, "tile tile 3"], mask: UInt8[np.ndarray, "tile tile"]
) -> UInt8[np.ndarray, "panel panel 3"]:
    size = (PANEL_PX, PANEL_PX)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if len(image) > PANEL_PX else cv2.INTER_LINEAR)
    return outlined(image, cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST))


def _write(figure: Figure, left: int, top: int, text: str, **style: str) -> None:
    width, height = _size_px(figure)
    figure.text(left / width, 1 - top / height, text, va="top", fontsize=8.5, **style)


def _size_px(figure: Figure) -> tuple[float, float]:
    width, height = figure.get_size_inches() * DOTS_PER_INCH
    return width, height


def _legend(rows: Sequence[Row], classes: Sequence[str]) -> list[Patch]:
    colours = class_colours(len(classes)) / 255
    patches = [
        Patch(fill=False, edgecolor=colour, lw=2, label=name)
        for name, colour in zip(classes[1:], colours[1:], strict=True)
    ]
    if any((mask == IGNORE).any() for row in rows for _, mask in row.tiles):
        patches.append(Patch(facecolor=PALE, edgecolor=MUTED, hatch="////", label="not annotated"))
    return patches
