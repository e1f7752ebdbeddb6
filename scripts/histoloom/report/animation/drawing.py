"""The frames of a training's animation: the same probe tiles, predicted anew after every epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from histoloom.report.animation.palettes import ramp
from histoloom.report.overlays import class_colours, outlined
from histoloom.sample import IGNORE

INK, PAPER, ACCENT, TRACK, FAINT = (31, 41, 51), (255, 255, 255), (86, 180, 233), (82, 96, 109), (203, 210, 217)
UNANNOTATED = (128, 128, 128)  # as hatched by overlays.outlined
GAP_PX, HEADER_PX, FOOTER_PX, LABEL_PX, TEXT_PX = 6, 56, 30, 96, 17
WIDTHS_PX = (680, 560, 440)  # tried in turn until the file is small enough


@dataclass(frozen=True)
class Epoch:
    """What one frame says; `score` is NaN where it is undefined, `is_best` where these weights became the best."""

    number: int
    score: float
    is_best: bool


@dataclass(frozen=True)
class Probe:
    """Probe tiles side by side: image, truth, and the prediction after each epoch (class indices, 255 = not known)."""

    image: UInt8[np.ndarray, "height width 3"]
    truth: UInt8[np.ndarray, "height width"]
    predicted: Sequence[UInt8[np.ndarray, "height width"]]


@dataclass(frozen=True)
class Stage:
    """What all frames of one width share: a canvas with image, truth and legend, and where the prediction goes."""

    canvas: Image.Image
    tissue: UInt8[np.ndarray, "rows columns 3"]
    corner: tuple[int, int]
    header_px: int
    gap_px: int
    text_px: int


def stage(probe: Probe, classes: Sequence[str], width_px: int) -> Stage:
    """Draw the three strips' names, the image, the truth and the legend, `width_px` wide."""
    unit = width_px / WIDTHS_PX[0]
    gap, header, footer, label, text = (
        max(1, round(size * unit)) for size in (GAP_PX, HEADER_PX, FOOTER_PX, LABEL_PX, TEXT_PX)
    )
    text = max(text, 10)
    scale = (width_px - label - gap) / probe.image.shape[1]
    tissue = _resized(probe.image, scale, cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    height, strip_width = tissue.shape[:2]
    truth = _outlined_tiles(tissue, _resized(probe.truth, scale, cv2.INTER_NEAREST), gap)
    canvas = Image.new("RGB", (width_px, header + 3 * (height + gap) + gap + footer), PAPER)
    pen = ImageDraw.Draw(canvas)
    for row, name in enumerate(("image", "truth", "prediction")):
        top = header + gap + row * (height + gap)
        pen.text((label - gap, top + height / 2), name, fill=INK, font=font(text), anchor="rm")
        if row < 2:
            canvas.paste(Image.fromarray((_with_gaps(tissue, gap), truth)[row]), (label, top))
    _draw_legend(pen, _entries(probe, classes), (label, canvas.height - footer, label + strip_width), footer, text)
    return Stage(canvas, tissue, (label, header + gap + 2 * (height + gap)), header, gap, text)


def frame(
    on: Stage, predicted: UInt8[np.ndarray, "height width"], place: int, epochs: Sequence[Epoch], note: str = ""
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Draw epoch number `place`: its prediction, and a header with its number and score; `note` stands there too."""
    canvas = on.canvas.copy()
    height, width = on.tissue.shape[:2]
    mask = cv2.resize(predicted, (width, height), interpolation=cv2.INTER_NEAREST)
    canvas.paste(Image.fromarray(_outlined_tiles(on.tissue, mask, on.gap_px)), on.corner)
    _draw_header(ImageDraw.Draw(canvas), place, epochs, (canvas.width, on.header_px), on.text_px, note)
    return np.asarray(canvas)


def drawn_colours(class_count: int) -> UInt8[np.ndarray, "drawn 3"]:
    """Every colour that a frame adds to the tissue: classes, their contrast lines, hatching, header and letters."""
    flat = np.array([ACCENT, TRACK, FAINT, UNANNOTATED, (0, 0, 0), (255, 255, 255)], dtype=np.uint8)
    return np.concatenate([class_colours(class_count), flat, ramp(INK, PAPER), ramp(INK, FAINT)])


def font(size_px: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib brings it along, so that letters are the same on every machine."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size_px)


def headline(epoch: Epoch, total: int) -> str:
    """What the header says: "epoch 3 of 12, validation score 0.61"."""
    score = "undefined" if np.isnan(epoch.score) else f"{epoch.score:.3f}"
    return f"epoch {epoch.number} of {total},  validation score {score}"


def _draw_header(
    pen: ImageDraw.ImageDraw, place: int, epochs: Sequence[Epoch], size: tuple[int, int], text: int, note: str
) -> None:
    width, height = size
    now = epochs[place]
    kept = max((index for index in range(place + 1) if epochs[index].is_best), default=None)
    bar = max(3, height // 14)
    pen.rectangle((0, 0, width, height - 1), fill=INK)
    words = headline(now, len(epochs))
    pen.text((text * 0.8, height * 0.34), words, fill=PAPER, font=font(text), anchor="lm")
    best = "no weights kept yet" if kept is None else f"best so far: epoch {epochs[kept].number}"
    pen.text((text * 0.8, height * 0.69), best + note, fill=FAINT, font=font(max(10, text - 4)), anchor="lm")
    pen.rectangle((0, height - bar, width, height - 1), fill=TRACK)
    pen.rectangle((0, height - bar, round(width * (place + 1) / len(epochs)), height - 1), fill=ACCENT)
    _draw_scores(pen, place, epochs, (width * 0.64, height * 0.16, float(width - text), height * 0.76))


def _draw_scores(
    pen: ImageDraw.ImageDraw, place: int, epochs: Sequence[Epoch], box: tuple[float, float, float, float]
) -> None:
    """Draw the score of all epochs as a faint line, and what is reached of it in colour, with a dot."""
    left, top, right, bottom = box
    scores = [epoch.score for epoch in epochs]
    known = [score for score in scores if not np.isnan(score)] or [0.0]
    spread = max(known) - min(known) or 1.0
    step = (right - left) / max(1, len(epochs) - 1)
    points = [
        (left + step * index, bottom - (bottom - top) * (score - min(known)) / spread)
        for index, score in enumerate(scores)
        if not np.isnan(score)
    ]
    reached = sum(not np.isnan(score) for score in scores[: place + 1])
    if len(points) > 1:
        pen.line(points, fill=TRACK, width=2)
    if reached > 1:
        pen.line(points[:reached], fill=ACCENT, width=2)
    if reached:
        x, y = points[reached - 1]
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=PAPER)


def _draw_legend(
    pen: ImageDraw.ImageDraw,
    items: Sequence[tuple[str, tuple[int, ...]]],
    box: tuple[int, int, int],
    height: int,
    text: int,
) -> None:
    """Write names with their colours, smaller where one line would not hold them."""
    left, top, right = box
    size = text
    while size > 8 and _legend_width(items, size) > right - left:
        size -= 1
    middle = top + height / 2
    for name, colour in items:
        pen.rectangle((left, middle - size * 0.4, left + size * 0.8, middle + size * 0.4), fill=colour, outline=INK)
        pen.text((left + size * 1.1, middle), name, fill=INK, font=font(size), anchor="lm")
        left += size * 1.1 + font(size).getlength(name) + size


def _entries(probe: Probe, classes: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """The foreground classes with their colours, and the hatching where there is some."""
    colours = [tuple(int(value) for value in colour) for colour in class_colours(len(classes))]
    entries = list(zip(classes[1:], colours[1:], strict=True))
    return [*entries, ("not annotated", UNANNOTATED)] if (probe.truth == IGNORE).any() else entries


def _legend_width(items: Sequence[tuple[str, tuple[int, ...]]], size: int) -> float:
    return sum(size * 2.1 + font(size).getlength(name) for name, _ in items)


def _resized(pixels: np.ndarray, scale: float, interpolation: int) -> np.ndarray:
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return cv2.resize(pixels, size, interpolation=interpolation)


def _outlined_tiles(
    strip: UInt8[np.ndarray, "height width 3"], mask: UInt8[np.ndarray, "height width"], gap: int
) -> UInt8[np.ndarray, "height width 3"]:
    """The tiles of a strip with their outlines, each closed where its own tile ends."""
    apart = _with_gaps(strip, gap)
    for columns in _tile_columns(strip.shape[0], strip.shape[1], gap):
        apart[:, columns] = outlined(strip[:, columns], mask[:, columns])
    return apart


def _with_gaps(strip: UInt8[np.ndarray, "height width 3"], gap: int) -> UInt8[np.ndarray, "height width 3"]:
    """Cover the seams between square tiles with white, so that tissue is not read across them."""
    covered = np.full_like(strip, 255)
    for columns in _tile_columns(strip.shape[0], strip.shape[1], gap):
        covered[:, columns] = strip[:, columns]
    return covered


def _tile_columns(height: int, width: int, gap: int) -> list[slice]:
    """Which columns of a strip of square tiles are shown, tile by tile: all but gaps over the seams.

    >>> _tile_columns(10, 20, 4)
    [slice(0, 8, None), slice(12, 20, None)]
    """
    tiles = max(1, round(width / height))
    seams = [round(number * width / tiles) for number in range(1, tiles)]
    starts = [0, *(seam + gap - gap // 2 for seam in seams)]
    stops = [*(seam - gap // 2 for seam in seams), width]
    return [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]
