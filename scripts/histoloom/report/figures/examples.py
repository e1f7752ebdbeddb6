"""Worst, median and best images of one architecture: truth, prediction, and both outlined in one picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, UInt8
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from histoloom.report.examples.choice import Choice
from histoloom.report.figures.outlines import PREDICTED, TRUTH, draw_both, draw_classes, label_map, legend_lines
from histoloom.report.figures.panel_rows import (
    GAP_IN,
    LETTERS_PER_IN,
    LINE_IN,
    TITLE_IN,
    Place,
    add_picture,
    drawable,
    fitted,
    for_display,
    shortened,
    wrapped,
    write,
)
from histoloom.report.figures.scale_bar import draw_scale_bar
from histoloom.report.figures.style import MUTED, PALE, house_style
from histoloom.report.figures.window import Window, draw_window, is_whole, whole, window_of
from histoloom.report.overlays import HATCH_GREY, class_colours, hatched
from histoloom.sample import IGNORE

PICTURES = ("image", "truth", "prediction", "truth and prediction")
PANEL_IN, LEGEND_COLUMNS, LEGEND_TITLE_IN = 2.4, 4, 0.45
PAGE_IN = (PANEL_IN + GAP_IN) * len(PICTURES) + GAP_IN


@dataclass(frozen=True)
class Outlined:
    """Truth or prediction of an image: class indices, and ids of nuclei where the dataset has nuclei."""

    mask: UInt8[np.ndarray, "height width"]
    nuclei: Int32[np.ndarray, "height width"] | None = None

    def within(self, window: Window) -> "Outlined":
        """What is drawn of it in a window."""
        nuclei = None if self.nuclei is None else for_display(self.nuclei[window])
        return Outlined(for_display(self.mask[window]), nuclei)


@dataclass(frozen=True)
class Example:
    """A chosen image with its pixels, truth and prediction; `mpp` is µm a pixel, None where it is unknown."""

    choice: Choice
    image: UInt8[np.ndarray, "height width 3"]
    truth: Outlined
    predicted: Outlined
    mpp: float | None = None

    @property
    def window(self) -> Window:
        """What is outlined: the whole image, or of a large one with nuclei a part."""
        return shown_window(self.truth)


def draw_examples(examples: Sequence[Example], classes: Sequence[str], score_name: str, rule: str) -> Figure:
    """Draw one row per example: the image, the classes of truth and of prediction, and the outlines of both.

    `rule` says how the images were chosen.
    """
    heights = [max(place.height for place in _places(one, 0)) for one in examples]
    lines = wrapped(rule + window_note([(one.window, one.truth.mask) for one in examples]), PAGE_IN - 2 * GAP_IN)
    top = LINE_IN * (len(lines) + 1) + 0.1
    legend = LEGEND_TITLE_IN + LINE_IN * -(-max(len(classes) - 1, 3) // LEGEND_COLUMNS)
    with house_style():
        figure = Figure(figsize=(PAGE_IN, top + sum(TITLE_IN + GAP_IN + row for row in heights) + legend))
        for number, line in enumerate(lines, start=1):
            write(figure, GAP_IN, LINE_IN * number, line, color=MUTED)
        for column, name in enumerate(PICTURES):
            write(figure, GAP_IN + (PANEL_IN + GAP_IN) * column, top - 0.06, name)
        for example, row in zip(examples, heights, strict=True):
            write(figure, GAP_IN, top + TITLE_IN - 0.06, title(example.choice, score_name, PAGE_IN), weight="bold")
            _draw_row(figure, example, top + TITLE_IN)
            top += TITLE_IN + GAP_IN + row
        _draw_legends(figure, examples, classes)
    return figure


def drawn_colours(class_count: int) -> UInt8[np.ndarray, "drawn 3"]:
    """Every colour that outlines add to the tissue, for a palette that keeps them."""
    flat = np.array([[0] * 3, [HATCH_GREY] * 3, [255] * 3, TRUTH.colour, PREDICTED.colour], np.uint8)
    return np.concatenate([class_colours(class_count), flat])


def title(choice: Choice, score_name: str, width: int | float) -> str:
    """What stands above an image, short enough for a page `width` inches wide."""
    text = f"{choice.rank}:  {score_name} {choice.score:.3f},  {shortened(choice.name)},  {choice.told}"
    return shortened(text, round((width - 2 * GAP_IN) * LETTERS_PER_IN))


def shown_window(truth: Outlined) -> Window:
    """The whole image, or where nuclei are shown and it is large, the window with most foreground."""
    return whole(truth.mask) if truth.nuclei is None else window_of(truth.mask)


def window_note(shown: Sequence[tuple[Window, UInt8[np.ndarray, "_ _"]]]) -> str:
    """What the rule adds where of some mask only a window is shown."""
    return (
        "" if all(is_whole(*each) for each in shown) else "; framed: the part with most foreground, which is outlined"
    )


def draw_whole(
    figure: Figure,
    place: Place,
    image: UInt8[np.ndarray, "height width 3"],
    window: Window,
    mpp: float | None,
) -> None:
    """Show the whole image with its scale bar, and where its window is smaller, a frame around that."""
    picture = for_display(image, is_image=True)
    panel = add_picture(figure, picture, place)
    draw_scale_bar(panel, image.shape[1], mpp)
    if not is_whole(window, image[..., 0]):
        draw_window(panel, window, image.shape[:2], picture.shape[:2])


def class_legend(classes: Sequence[str], has_unannotated: bool) -> list[Artist]:
    """The classes' colours, and the hatching of what nobody annotated, for a legend."""
    colours = class_colours(len(classes)) / 255
    entries = [
        Patch(facecolor=colour, edgecolor=MUTED, lw=0.5, label=drawable(shortened(name, 24)))
        for name, colour in zip(classes[1:], colours[1:], strict=True)
    ]
    if has_unannotated:
        entries.append(Patch(facecolor=PALE, edgecolor=MUTED, hatch="////", label="not annotated"))
    return entries


def _places(example: Example, top: int | float) -> list[Place]:
    """Where the pictures of a row lie: the first shows the whole image, the others its window."""
    window = example.truth.mask[example.window].shape
    lefts = [GAP_IN + (PANEL_IN + GAP_IN) * column for column in range(len(PICTURES))]
    return [
        fitted(example.truth.mask.shape if column == 0 else window, left, top, PANEL_IN)
        for column, left in enumerate(lefts)
    ]


def _draw_row(figure: Figure, example: Example, top: int | float) -> None:
    places = _places(example, top)
    draw_whole(figure, places[0], example.image, example.window, example.mpp)
    truth, predicted = (side.within(example.window) for side in (example.truth, example.predicted))
    image = for_display(example.image[example.window], is_image=True)
    on_hatched = hatched(image, truth.mask == IGNORE)
    pictures = (on_hatched, image, on_hatched)
    panels = [add_picture(figure, *each) for each in zip(pictures, places[1:], strict=True)]
    draw_classes(panels[0], truth.mask, truth.nuclei)
    draw_classes(panels[1], predicted.mask, predicted.nuclei)
    draw_both(panels[2], *(label_map(side.mask, side.nuclei)[0] for side in (truth, predicted)))
    if not is_whole(example.window, example.truth.mask):
        draw_scale_bar(panels[0], example.truth.mask[example.window].shape[1], example.mpp)


def _draw_legends(figure: Figure, examples: Sequence[Example], classes: Sequence[str]) -> None:
    unannotated = any((one.truth.mask == IGNORE).any() for one in examples)
    both = legend_lines({"truth": TRUTH, "prediction": PREDICTED})
    what = "nuclei" if all(one.truth.nuclei is not None for one in examples) else "regions"
    legends = (
        (class_legend(classes, unannotated), f"{what} by class", "lower left", LEGEND_COLUMNS),
        (both, PICTURES[-1], "lower right", 2),
    )
    for handles, name, corner, columns in legends:
        figure.legend(handles=handles, title=name, loc=corner, ncols=columns, alignment="left", borderaxespad=0.6)
