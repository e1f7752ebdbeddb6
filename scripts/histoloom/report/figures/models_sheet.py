"""Contact sheet of models: the same images with the outlines of truth and of every model, scores below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from histoloom.report.examples.choice import Choice
from histoloom.report.figures.examples import Outlined, class_legend, draw_whole, shown_window, window_note
from histoloom.report.figures.outlines import draw_classes
from histoloom.report.figures.panel_rows import (
    GAP_IN,
    LETTERS_PER_IN,
    LINE_IN,
    TITLE_IN,
    Place,
    add_picture,
    fitted,
    for_display,
    shortened,
    wrapped,
    write,
)
from histoloom.report.figures.style import MUTED, house_style
from histoloom.report.overlays import hatched
from histoloom.sample import IGNORE

MOST_COLUMNS, PAGE_IN, LARGEST_PANEL_IN = 6, 12.0, 2.7
TABLE_COLUMNS = ("rank", "image", "architecture", "score_name", "score")
CAPTION_IN, LEGEND_IN = 0.34, 0.5


@dataclass(frozen=True)
class Compared:
    """One image by all models: `predicted` and `scores` are by name of the model, scores NaN where undefined."""

    choice: Choice
    image: UInt8[np.ndarray, "height width 3"]
    truth: Outlined
    predicted: Mapping[str, Outlined]
    scores: Mapping[str, float]
    mpp: float | None = None


@dataclass(frozen=True)
class _Grid:
    """How the panels of an image lie: in lines of `columns` panels, each `panel` inches wide."""

    columns: int
    panel: int | float

    def places(self, one: Compared, top: int | float) -> list[Place]:
        """The places of the image, the truth and the models; below each is room for its caption."""
        window = one.truth.mask[shown_window(one.truth)].shape
        shapes = [one.truth.mask.shape] + [window] * (1 + len(one.predicted))
        line = self.line(one)
        return [
            fitted(
                shape,
                GAP_IN + (self.panel + GAP_IN) * (number % self.columns),
                top + line * (number // self.columns),
                self.panel,
            )
            for number, shape in enumerate(shapes)
        ]

    def line(self, one: Compared) -> float:
        """The height of a line of panels with their captions."""
        shapes = (one.truth.mask.shape, one.truth.mask[shown_window(one.truth)].shape)
        return max(fitted(shape, 0, 0, self.panel).height for shape in shapes) + CAPTION_IN

    def height(self, one: Compared) -> float:
        """The height of all lines of an image."""
        return self.line(one) * -(-(2 + len(one.predicted)) // self.columns)


def draw_models_sheet(
    compared: Sequence[Compared], classes: Sequence[str], score_name: str, leader: str, rule: str
) -> Figure:
    """Draw for each image the picture, the outlines of truth, then those of each model with its score below.

    `rule` says how the images were chosen, `leader` is the model they were chosen by: its name is bold.
    """
    grid = _grid(2 + len(compared[0].predicted))
    width = GAP_IN + (grid.panel + GAP_IN) * grid.columns
    heights = [TITLE_IN + grid.height(one) for one in compared]
    note = window_note([(shown_window(one.truth), one.truth.mask) for one in compared])
    rule_lines = wrapped(rule + note, width)
    top = LINE_IN * len(rule_lines) + 0.06
    with house_style():
        figure = Figure(figsize=(width, top + sum(heights) + LEGEND_IN))
        for number, line in enumerate(rule_lines, start=1):
            write(figure, GAP_IN, LINE_IN * number, line, color=MUTED)
        for one, height in zip(compared, heights, strict=True):
            name = shortened(one.choice.name, max(8, round(LETTERS_PER_IN * width) - 20))
            write(figure, GAP_IN, top + TITLE_IN - 0.06, f"{one.choice.rank}:  {name}", weight="bold")
            _draw_image(figure, one, grid, top + TITLE_IN, (score_name, leader))
            top += height
        unannotated = any((one.truth.mask == IGNORE).any() for one in compared)
        figure.legend(handles=class_legend(classes, unannotated), loc="lower left", ncols=grid.columns)
    return figure


def description(compared: Sequence[Compared], score_name: str) -> str:
    """What the picture shows, in words: "worst: a (dice): unet 0.500, fpn undefined; ..."."""
    return "; ".join(
        f"{one.choice.rank}: {one.choice.name} ({score_name}): "
        + ", ".join(f"{model} {_shown(score)}" for model, score in one.scores.items())
        for one in compared
    )


def table_rows(compared: Sequence[Compared], score_name: str) -> list[tuple[str, str, str, str, str]]:
    """Rank, image, model, what was scored, and its score, empty where undefined."""
    return [
        (one.choice.rank, one.choice.name, model, score_name, "" if np.isnan(score) else repr(score))
        for one in compared
        for model, score in one.scores.items()
    ]


def _grid(panels: int) -> _Grid:
    lines = -(-panels // MOST_COLUMNS)
    columns = -(-panels // lines)
    return _Grid(columns, min(LARGEST_PANEL_IN, (PAGE_IN - GAP_IN) / columns - GAP_IN))


def _draw_image(figure: Figure, one: Compared, grid: _Grid, top: int | float, told: tuple[str, str]) -> None:
    score_name, leader = told
    window, places = shown_window(one.truth), grid.places(one, top)
    draw_whole(figure, places[0], one.image, window, one.mpp)
    _caption(figure, places[0], "image")
    image = for_display(one.image[window], is_image=True)
    truth = one.truth.within(window)
    panel = add_picture(figure, hatched(image, truth.mask == IGNORE), places[1])
    draw_classes(panel, truth.mask, truth.nuclei)
    _caption(figure, places[1], "truth")
    for place, (model, side) in zip(places[2:], one.predicted.items(), strict=True):
        predicted = side.within(window)
        draw_classes(add_picture(figure, image, place), predicted.mask, predicted.nuclei)
        _caption(figure, place, model, f"{score_name} {_shown(one.scores[model])}", is_bold=model == leader)


def _caption(figure: Figure, place: Place, name: str, score: str = "", *, is_bold: bool = False) -> None:
    bottom = place.top + place.height
    letters = max(8, round(place.width * LETTERS_PER_IN))
    weight = "bold" if is_bold else "normal"
    write(figure, place.left, bottom + 0.14, shortened(name, letters), fontsize=8, weight=weight)
    write(figure, place.left, bottom + 0.28, shortened(score, letters), fontsize=8, weight=weight)


def _shown(score: float) -> str:
    return "undefined" if np.isnan(score) else f"{score:.3f}"
