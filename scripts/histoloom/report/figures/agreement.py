"""Agreement maps of chosen images: which pixels and nuclei are right, missed or false, as pictures and numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, UInt8
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from histoloom.evaluate.counting.agreement_map import NUCLEUS_CODES, PIXEL_CODES, nucleus_agreement, pixel_agreement
from histoloom.report.examples.choice import Choice
from histoloom.report.figures.examples import title
from histoloom.report.figures.outlines import rings
from histoloom.report.figures.panel_rows import (
    GAP_IN,
    LINE_IN,
    TITLE_IN,
    Place,
    add_picture,
    fitted,
    for_display,
    write,
)
from histoloom.report.figures.scale_bar import draw_scale_bar
from histoloom.report.figures.style import BLUE, INK, MUTED, ORANGE, PALE, PURPLE, SKY, house_style
from histoloom.sample import IGNORE

UNANNOTATED = "not annotated"
YELLOW = "#F0E442"
PIXEL_COLOURS = {
    "true positive": BLUE,
    "false negative": ORANGE,
    "false positive": PURPLE,
    "confused class": INK,
    UNANNOTATED: PALE,
}
NUCLEUS_COLOURS = {"found": BLUE, "missed": ORANGE, "false": PURPLE, "split": SKY, "merged": YELLOW}
PIXELS, NUCLEI = "pixels", "nuclei"
SELDOM = ("confused class", UNANNOTATED)
PANEL_IN, NUMBERS_IN, ROW_IN, SWATCH_IN = 2.4, 2.5, 0.165, 0.1
LINE_PT, FULL_LINE_PX, DASHES = 0.7, 300, (0, (3, 2))
FOOTNOTE = (
    "lines around nuclei: whole for truth, dashed for the prediction; "
    "false nuclei are counted, but not coloured, where a missed, split or merged one lies"
)
WHITENING = 0.65  # share of white in the grey image under the colours


@dataclass(frozen=True)
class Compared:
    """A chosen image, its class masks, and ids of its nuclei where the dataset has nuclei; `mpp` is µm a pixel."""

    choice: Choice
    image: UInt8[np.ndarray, "height width 3"]
    truth: UInt8[np.ndarray, "height width"]
    predicted: UInt8[np.ndarray, "height width"]
    true_nuclei: Int32[np.ndarray, "height width"] | None = None
    predicted_nuclei: Int32[np.ndarray, "height width"] | None = None
    mpp: float | None = None


def pixel_numbers(
    truth: UInt8[np.ndarray, "height width"], predicted: UInt8[np.ndarray, "height width"]
) -> dict[str, int]:
    """Pixels of each code, by its name: true and false, positive and negative, confused class, not annotated.

    >>> pixel_numbers(np.array([[0, 1, 1, 255]], np.uint8), np.array([[0, 1, 2, 1]], np.uint8))["confused class"]
    1
    """
    counts = np.bincount(pixel_agreement(truth, predicted).ravel(), minlength=IGNORE + 1)
    return {name: int(counts[code]) for code, name in enumerate(PIXEL_CODES)} | {UNANNOTATED: int(counts[IGNORE])}


def nucleus_numbers(
    truth: Int32[np.ndarray, "height width"], predicted: Int32[np.ndarray, "height width"]
) -> dict[str, int]:
    """Nuclei of each code, by its name: true ones found, missed, split and merged, and false predicted ones.

    A false nucleus counts here even where a missed one hides it in the map: found, false, and the rest together are
    the true positives, false positives and false negatives of the panoptic quality.
    """
    codes = nucleus_agreement(truth, predicted)
    found = NUCLEUS_CODES.index("found")
    of_truth = {
        name: len(np.unique(truth[(codes == code) & (truth > 0)]))
        for code, name in enumerate(NUCLEUS_CODES)
        if name not in ("background", "false")
    }
    return of_truth | {"false": len(np.unique(predicted[predicted > 0])) - len(np.unique(predicted[codes == found]))}


def without_unannotated(
    nuclei: Int32[np.ndarray, "height width"], truth: UInt8[np.ndarray, "height width"]
) -> Int32[np.ndarray, "height width"]:
    """Leave out nuclei of which more than half lies on what nobody annotated, as the scores do."""
    area = np.bincount(nuclei.ravel())
    hidden = np.bincount(nuclei[truth == IGNORE], minlength=len(area))
    return np.where((2 * hidden > area)[nuclei], 0, nuclei).astype(np.int32)


def numbers(compared: Compared) -> dict[str, dict[str, int]]:
    """What is written beside an image: for pixels, and for nuclei where there are any, the number of each code."""
    found = {PIXELS: pixel_numbers(compared.truth, compared.predicted)}
    if compared.true_nuclei is not None and compared.predicted_nuclei is not None:
        found[NUCLEI] = nucleus_numbers(compared.true_nuclei, compared.predicted_nuclei)
    return found


def table_rows(compared: Sequence[Compared]) -> list[tuple[str, str, int, str, str, int]]:
    """Rank, image, fold, "pixels" or "nuclei", code and number."""
    return [
        (one.choice.rank, one.choice.name, one.choice.fold, kind, code, count)
        for one in compared
        for kind, by_code in numbers(one).items()
        for code, count in by_code.items()
    ]


def draw_agreement(compared: Sequence[Compared], score_name: str) -> Figure:
    """Draw one row per image: the image, its pixels and its nuclei by code, and the number of each code."""
    has_nuclei = any(one.true_nuclei is not None for one in compared)
    columns = ("image", PIXELS, NUCLEI) if has_nuclei else ("image", PIXELS)
    heights = [max(_place(one, 0, 0).height, _block_height(one)) for one in compared]
    width = (PANEL_IN + GAP_IN) * len(columns) + 2 * GAP_IN + NUMBERS_IN
    top = LINE_IN + 0.06
    with house_style():
        figure = Figure(
            figsize=(width, top + sum(TITLE_IN + GAP_IN + height for height in heights) + (0.3 if has_nuclei else 0.06))
        )
        for column, name in enumerate(columns):
            write(figure, GAP_IN + (PANEL_IN + GAP_IN) * column, LINE_IN, name)
        for one, height in zip(compared, heights, strict=True):
            write(figure, GAP_IN, top + TITLE_IN - 0.06, title(one.choice, score_name, width), weight="bold")
            _draw_row(figure, one, top + TITLE_IN, columns)
            top += TITLE_IN + GAP_IN + height
        if has_nuclei:
            write(figure, GAP_IN, top + LINE_IN - 0.02, FOOTNOTE, color=MUTED)
    return figure


def drawn_colours() -> UInt8[np.ndarray, "drawn 3"]:
    """Every colour that the figure adds to the tissue, for a palette that keeps them."""
    shades = np.stack([np.arange(0, 256, 8)] * 3, axis=1).astype(np.uint8)  # the maps' grey tissue
    flat = [_rgb(colour) for colour in (*PIXEL_COLOURS.values(), *NUCLEUS_COLOURS.values(), "#ffffff")]
    return np.concatenate([np.array(flat, np.uint8), shades])


def coloured(
    image: UInt8[np.ndarray, "height width 3"],
    codes: UInt8[np.ndarray, "height width"],
    names: Sequence[str],
    colours: Mapping[str, str],
) -> UInt8[np.ndarray, "height width 3"]:
    """The image in pale grey, each code that has a colour laid over it; 255 is what nobody annotated."""
    grey = image.mean(axis=2, keepdims=True) * (1 - WHITENING) + 255 * WHITENING
    picture = np.repeat(grey, 3, axis=2).astype(np.uint8)
    for code, name in [*enumerate(names), (IGNORE, UNANNOTATED)]:
        if name in colours:
            picture[codes == code] = _rgb(colours[name])
    return picture


def _place(one: Compared, column: int, top: int | float) -> Place:
    return fitted(one.image.shape[:2], GAP_IN + (PANEL_IN + GAP_IN) * column, top, PANEL_IN)


def _draw_row(figure: Figure, one: Compared, top: int | float, columns: Sequence[str]) -> None:
    image = for_display(one.image, is_image=True)
    codes = pixel_agreement(one.truth, one.predicted)
    draw_scale_bar(add_picture(figure, image, _place(one, 0, top)), one.image.shape[1], one.mpp)
    add_picture(figure, coloured(image, for_display(codes), PIXEL_CODES, PIXEL_COLOURS), _place(one, 1, top))
    if one.true_nuclei is not None and one.predicted_nuclei is not None:
        codes = nucleus_agreement(one.true_nuclei, one.predicted_nuclei)
        picture = coloured(image, for_display(codes), NUCLEUS_CODES, NUCLEUS_COLOURS)
        panel = add_picture(figure, picture, _place(one, 2, top))
        _draw_lines(panel, for_display(one.true_nuclei), "solid")
        _draw_lines(panel, for_display(one.predicted_nuclei), DASHES)
    _write_numbers(figure, numbers(one), 3 * GAP_IN + (PANEL_IN + GAP_IN) * len(columns), top)


def _draw_lines(panel: Axes, nuclei: Int32[np.ndarray, "height width"], style: object) -> None:
    _, labels = np.unique(np.append(nuclei, 0), return_inverse=True)
    lines = [ring for found in rings(labels[:-1].reshape(nuclei.shape).astype(np.int32)).values() for ring in found]
    width = LINE_PT * min(1.0, FULL_LINE_PX / max(nuclei.shape))  # nuclei of large images are small
    panel.add_collection(LineCollection(lines, colors=INK, linewidths=width, linestyles=[style]), autolim=False)


def _block_height(one: Compared) -> float:
    return ROW_IN * sum(2 + len(_shown(kind, by_code)) for kind, by_code in numbers(one).items())


def _shown(kind: str, by_code: Mapping[str, int]) -> list[str]:
    """The codes that are written: those that not every dataset has only where there are some."""
    order = PIXEL_COLOURS | dict.fromkeys(PIXEL_CODES) if kind == PIXELS else NUCLEUS_COLOURS
    return [code for code in order if by_code[code] or code not in SELDOM]


def _write_numbers(figure: Figure, found: Mapping[str, Mapping[str, int]], left: int | float, top: int | float) -> None:
    for kind, by_code in found.items():
        top += ROW_IN
        write(figure, left, top - 0.03, _heading(kind, by_code), weight="bold", fontsize=8)
        for code in _shown(kind, by_code):
            top += ROW_IN
            _write_number(figure, (PIXEL_COLOURS if kind == PIXELS else NUCLEUS_COLOURS).get(code), left, top)
            write(figure, left + 2 * SWATCH_IN, top - 0.03, code, fontsize=8)
            right = left + NUMBERS_IN - 0.75
            write(figure, right, top - 0.03, f"{by_code[code]:,}", fontsize=8, ha="right")
            if share := _share(kind, code, by_code):
                write(figure, right + 0.6, top - 0.03, share, fontsize=8, ha="right", color=MUTED)
        top += ROW_IN


def _write_number(figure: Figure, colour: str | None, left: int | float, top: int | float) -> None:
    """The square of a code's colour, without filling for the code that is not coloured."""
    width, height = figure.get_size_inches()
    corner = (left / width, 1 - (top - 0.02) / height)
    size = (SWATCH_IN / width, SWATCH_IN / height)
    style = {"facecolor": colour or "white", "edgecolor": MUTED, "lw": 0.4}
    figure.add_artist(Rectangle(corner, *size, transform=figure.transFigure, **style))


def _heading(kind: str, by_code: Mapping[str, int]) -> str:
    if kind == PIXELS:
        return "pixels, share of those annotated"
    true = sum(by_code.values()) - by_code["false"]
    return f"nuclei: {true:,} true, {by_code['found'] + by_code['false']:,} predicted"


def _share(kind: str, code: str, by_code: Mapping[str, int]) -> str:
    annotated = sum(by_code.values()) - by_code.get(UNANNOTATED, 0)
    return f"{by_code[code] / annotated:.1%}" if kind == PIXELS and code != UNANNOTATED and annotated else ""


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
