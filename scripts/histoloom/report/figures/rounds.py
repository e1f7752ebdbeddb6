"""Training images, what people drew on them, and what was accepted from models in each round, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import cv2
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from histoloom.marks import is_marked, unmarked
from histoloom.report.figures.style import DOTS_PER_INCH, MUTED, house_style
from histoloom.report.figures.window import window_of
from histoloom.report.overlays import class_colours
from histoloom.sample import IGNORE, PSEUDO

PANEL_PX, GAP_PX, LINE_PX, LEGEND_PX = 300, 10, 26, 60
LETTER_PX = 13  # of the widest lines, in bold
TITLE_LETTERS = 60
FADED = 0.65  # share of white over tissue that is not coloured
COLOURED = 0.55  # share of the class's colour
NOTE = "Accepted pixels come from models and are not truth: they are trained on, and never used to choose or to score."


@dataclass(frozen=True)
class RoundsRow:
    """One training image: its name, its pixels, what people drew, and the training masks of rounds 1, 2, ..."""

    name: str
    image: UInt8[np.ndarray, "height width 3"]
    drawn: UInt8[np.ndarray, "height width"]
    masks: Sequence[UInt8[np.ndarray, "height width"]]


def draw_rounds(rows: Sequence[RoundsRow], classes: Sequence[str]) -> Figure:
    """Draw a line of panels for each image: the image, what people drew, and what each round accepted beside it.

    All rows have as many masks. Of a large image the window with most drawn foreground is shown.
    """
    rounds = range(1, len(rows[0].masks) + 1)
    columns = ["image", "drawn by people", *(f"round {number}: accepted from models" for number in rounds)]
    width = GAP_PX + len(columns) * (PANEL_PX + GAP_PX)
    note = wrap(NOTE, width // LETTER_PX)
    top = GAP_PX + LINE_PX * len(note)
    height = top + LINE_PX + len(rows) * (PANEL_PX + LINE_PX + GAP_PX) + LEGEND_PX
    with house_style():
        figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), layout="none")
        for place, line in enumerate(note):
            _write(figure, GAP_PX, GAP_PX + LINE_PX * place, line, weight="bold")
        for place, column in enumerate(columns):
            _write(figure, _left(place), top, column)
        for place, row in enumerate(rows):
            _draw_row(figure, row, top + LINE_PX + place * (PANEL_PX + LINE_PX + GAP_PX))
        figure.legend(handles=_legend(classes), loc="lower left", ncols=6, borderaxespad=0.6)
    return figure


def coloured(
    image: UInt8[np.ndarray, "height width 3"], mask: UInt8[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    """The image under the colours of a mask's classes; where it says nothing (255) the image is faded."""
    tissue, known = image.astype(np.float32), (mask != IGNORE)[:, :, None]
    colours = class_colours(int(mask[mask != IGNORE].max(initial=0)) + 1)
    colour = colours[np.where(mask == IGNORE, 0, mask)].astype(np.float32)
    mixed = np.where(known, tissue * (1 - COLOURED) + colour * COLOURED, tissue * (1 - FADED) + 255 * FADED)
    return np.rint(mixed).astype(np.uint8)


def accepted_alone(mask: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Classes of the accepted pixels of a training mask, 255 elsewhere.

    >>> accepted_alone(np.array([[0, 129, 255]], np.uint8))
    array([[255,   1, 255]], dtype=uint8)
    """
    return np.where(is_marked(mask), unmarked(mask), IGNORE).astype(np.uint8)


def _draw_row(figure: Figure, row: RoundsRow, top: int) -> None:
    window = window_of(np.where(row.drawn < PSEUDO, row.drawn, IGNORE).astype(np.uint8))
    image, drawn = row.image[window], row.drawn[window]
    pictures = [image, coloured(image, drawn)]
    pictures += [coloured(image, accepted_alone(mask[window])) for mask in row.masks]
    title = row.name if len(row.name) <= TITLE_LETTERS else f"{row.name[: TITLE_LETTERS - 1]}…"
    _write(figure, GAP_PX, top, title, color=MUTED)
    width, height = figure.get_size_inches() * DOTS_PER_INCH
    shrink = PANEL_PX / max(image.shape[:2])
    shown = max(1, round(image.shape[1] * shrink)), max(1, round(image.shape[0] * shrink))
    for place, picture in enumerate(pictures):
        low = height - top - LINE_PX - shown[1]
        panel = figure.add_axes((_left(place) / width, low / height, shown[0] / width, shown[1] / height))
        way = cv2.INTER_AREA if shrink < 1 else cv2.INTER_NEAREST
        panel.imshow(cv2.resize(picture, shown, interpolation=way), interpolation="nearest", aspect="auto")
        panel.set_axis_off()


def _left(place: int) -> int:
    return GAP_PX + place * (PANEL_PX + GAP_PX)


def _write(figure: Figure, left: int, top: int, text: str, **style: str) -> None:
    width, height = figure.get_size_inches() * DOTS_PER_INCH
    figure.text(left / width, 1 - top / height, text, va="top", fontsize=8.5, **style)


def _legend(classes: Sequence[str]) -> list[Patch]:
    colours = class_colours(len(classes)) / 255
    return [Patch(facecolor=(*colour, COLOURED), label=name) for name, colour in zip(classes, colours, strict=True)]
