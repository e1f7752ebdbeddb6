"""Worst, median and best images of one architecture, chosen by rule and shown beside the truth."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import cv2
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from histoloom.report.figures.style import BLUE, INK, ORANGE, PALE, PURPLE, house_style
from histoloom.report.overlays import class_colours, outlined
from histoloom.sample import IGNORE

COLUMNS = ("image", "truth", "prediction", "agreement")
PANEL_IN, GAP_IN, HEADING_IN, ROW_TITLE_IN = 2.4, 0.06, 0.26, 0.28
LEGEND_COLUMNS, LEGEND_TITLE_IN, LEGEND_ROW_IN = 3, 0.5, 0.2
LONGEST_SIDE_PX = 512  # of a picture as drawn; a panel has 360 px at 150 dpi
LONGEST_NAME = 50
AGREEMENT = {"hit": BLUE, "missed": ORANGE, "false": PURPLE, "wrong class": INK, "not annotated": PALE}
AGREEMENT_RGB = np.array([[int(c[at : at + 2], 16) for at in (1, 3, 5)] for c in AGREEMENT.values()], dtype=np.uint8)
WHITENING = 0.65  # share of white in the grey image under the agreement colours


@dataclass(frozen=True)
class Choice:
    """One image to show: `rank` is "worst", "median" or "best"; `score` is the mean over `folds`, which tested it."""

    rank: str
    name: str
    folds: tuple[int, ...]
    score: float

    @property
    def fold(self) -> int:
        """The fold whose prediction is drawn: the first."""
        return self.folds[0]

    @property
    def told(self) -> str:
        """The folds in words."""
        if len(self.folds) == 1:
            return f"fold {self.fold}"
        return f"mean of folds {', '.join(map(str, self.folds))}; fold {self.fold} drawn"


@dataclass(frozen=True)
class Example:
    """A chosen image with its pixels, truth and prediction (class indices)."""

    choice: Choice
    image: UInt8[np.ndarray, "height width 3"]
    truth: UInt8[np.ndarray, "height width"]
    predicted: UInt8[np.ndarray, "height width"]


def choose(scores: Iterable[tuple[str, int, float]], count: int) -> list[Choice]:
    """Choose `count` worst, median and best images of (name, fold, score), by score, then name.

    An image that several folds tested is one image; its score is the mean over them, as in the tables. The median
    ones are those in the middle of the order. With fewer than 3 * `count` images none is shown twice, and worst goes
    before best, best before median. Scores that are NaN (undefined) are left out.
    """
    by_image: dict[str, dict[int, float]] = defaultdict(dict)
    for name, fold, score in scores:
        if not np.isnan(score):
            by_image[name][fold] = score
    order = sorted((fmean(of_fold.values()), name) for name, of_fold in by_image.items())
    count = min(count, len(order))
    middle = (len(order) - count) // 2
    wanted = {
        "worst": range(count),
        "best": range(len(order) - count, len(order)),
        "median": range(middle, middle + count),
    }
    ranks: dict[int, str] = {}
    for rank, places in wanted.items():
        for place in places:
            ranks.setdefault(place, rank)
    in_order = sorted(ranks, key=lambda place: (("worst", "median", "best").index(ranks[place]), place))
    return [
        Choice(ranks[place], name, tuple(sorted(by_image[name])), score)
        for place, (score, name) in ((place, order[place]) for place in in_order)
    ]


def agreement(
    truth: UInt8[np.ndarray, "height width"], predicted: UInt8[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width"]:
    """Compare two masks: 0 background in both, else 1 + index into AGREEMENT.

    1 hit (same class), 2 missed (predicted background), 3 false (background in truth), 4 wrong class, 5 not annotated.

    >>> agreement(np.array([[0, 1, 1, 0, 2, 255]], np.uint8), np.array([[0, 1, 0, 1, 1, 1]], np.uint8))
    array([[0, 1, 2, 3, 4, 5]], dtype=uint8)
    """
    cases = [truth == IGNORE, (truth == predicted) & (truth > 0), (truth > 0) & (predicted == 0)]
    cases += [(truth == 0) & (predicted > 0), (truth > 0) & (predicted > 0)]
    return np.select(cases, [5, 1, 2, 3, 4], default=0).astype(np.uint8)


def draw_examples(examples: Sequence[Example], classes: Sequence[str], metric: str) -> Figure:
    """Draw one row per example: image, truth and prediction outlined, and where they agree.

    The layout is in inches from the top, so nothing is cut off whatever the shapes of the images.
    """
    heights = [PANEL_IN * one.image.shape[0] / one.image.shape[1] for one in examples]
    width = (PANEL_IN + GAP_IN) * len(COLUMNS) + GAP_IN
    height = HEADING_IN + sum(ROW_TITLE_IN + GAP_IN + panel for panel in heights)
    height += LEGEND_TITLE_IN + LEGEND_ROW_IN * -(-max(len(classes) - 1, len(AGREEMENT)) // LEGEND_COLUMNS)
    with house_style():
        figure = Figure(figsize=(width, height))
        for place, column in enumerate(COLUMNS):
            _write(figure, GAP_IN + (PANEL_IN + GAP_IN) * place, HEADING_IN - 0.06, column)
        top = HEADING_IN
        for example, panel_height in zip(examples, heights, strict=True):
            _write(figure, GAP_IN, top + ROW_TITLE_IN - 0.06, _title(example.choice, metric), weight="bold")
            _draw_row(figure, example, top + ROW_TITLE_IN, panel_height)
            top += ROW_TITLE_IN + panel_height + GAP_IN
        _draw_legends(figure, examples, classes)
    return figure


def drawn_colours(class_count: int) -> UInt8[np.ndarray, "drawn 3"]:
    """Every colour that the figure adds to the tissue, for a palette that keeps them."""
    shades = np.stack([np.arange(0, 256, 8)] * 3, axis=1).astype(np.uint8)  # the agreement map's grey tissue
    white = np.array([(255, 255, 255)], dtype=np.uint8)
    return np.concatenate([class_colours(class_count), AGREEMENT_RGB, shades, white])


def description(choices: Sequence[Choice], metric: str) -> str:
    """What the picture shows, in words: "worst: a, dice 0.123 (fold 0); ..."."""
    return "; ".join(f"{one.rank}: {one.name}, {metric} {one.score:.3f} ({one.told})" for one in choices)


def _write(figure: Figure, left_in: float, from_top_in: float, text: str, weight: str = "normal") -> None:
    width, height = figure.get_size_inches()
    figure.text(left_in / width, 1 - from_top_in / height, text, weight=weight, va="baseline", fontsize=9)


def _title(one: Choice, metric: str) -> str:
    return f"{one.rank}:  {metric} {one.score:.3f},  {_shortened(one.name)},  {one.told}"


def _draw_row(figure: Figure, example: Example, from_top_in: float, height_in: float) -> None:
    width, height = figure.get_size_inches()
    image, truth, predicted = _for_display(example)
    pictures = (image, outlined(image, truth), outlined(image, predicted), _agreement_picture(image, truth, predicted))
    for place, picture in enumerate(pictures):
        left = (GAP_IN + (PANEL_IN + GAP_IN) * place) / width
        box = (left, 1 - (from_top_in + height_in) / height, PANEL_IN / width, height_in / height)
        panel = figure.add_axes(box)
        panel.imshow(picture, interpolation="antialiased", aspect="auto")
        panel.set_axis_off()


def _shortened(name: str) -> str:
    half = (LONGEST_NAME - 1) // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def _for_display(
    example: Example,
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]:
    height, width = example.truth.shape
    scale = min(1.0, LONGEST_SIDE_PX / max(height, width))
    if scale == 1.0:
        return example.image, example.truth, example.predicted
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = cv2.resize(example.image, size, interpolation=cv2.INTER_AREA)
    truth, predicted = (
        cv2.resize(m, size, interpolation=cv2.INTER_NEAREST) for m in (example.truth, example.predicted)
    )
    return image, truth, predicted


def _agreement_picture(
    image: UInt8[np.ndarray, "height width 3"],
    truth: UInt8[np.ndarray, "height width"],
    predicted: UInt8[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width 3"]:
    grey = image.mean(axis=2, keepdims=True) * (1 - WHITENING) + 255 * WHITENING
    picture = np.repeat(grey, 3, axis=2).astype(np.uint8)
    cases = agreement(truth, predicted)
    picture[cases > 0] = AGREEMENT_RGB[cases[cases > 0] - 1]
    return picture


def _draw_legends(figure: Figure, examples: Sequence[Example], classes: Sequence[str]) -> None:
    colours = class_colours(len(classes)) / 255
    outlines = [
        Patch(fill=False, edgecolor=colours[index], lw=2, label=classes[index]) for index in range(1, len(classes))
    ]
    shown = {int(case) for one in examples for case in np.unique(agreement(one.truth, one.predicted))}
    areas = [
        Patch(facecolor=colour, edgecolor=INK, lw=0.4, label=name)
        for case, (name, colour) in enumerate(AGREEMENT.items(), start=1)
        if case in shown
    ]
    for handles, title, corner in ((outlines, "outlines", "lower left"), (areas, "agreement", "lower right")):
        figure.legend(
            handles=handles, title=title, loc=corner, ncols=LEGEND_COLUMNS, alignment="left", borderaxespad=0.6
        )
