"""The overview sheet of a dataset: example images beside the same images with their class outlines."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import cv2
import numpy as np
from jaxtyping import Int32, Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from histoloom.errors import InputError
from histoloom.prepare.inspection.measuring import Measured
from histoloom.prepared import IndexRow
from histoloom.report.figures.style import MUTED, PALE, house_style
from histoloom.report.overlays import HATCH_GREY, class_colours, outlined
from histoloom.sample import IGNORE

CROP_PX = 512  # larger images show a window, since a nucleus of a whole one would be smaller than its outline
PANEL_PX = 430  # as drawn: two pairs of panels fill the 1800 px of the sheet, readable when shown 1200 px wide
GAP_PX = 10
PAIR_IN, TITLE_IN, LEGEND_IN, HEADER_IN = 6.0, 0.5, 0.6, 0.4
LONGEST_TITLE = 60


@dataclass(frozen=True)
class Example:
    """One image of the sheet: where it comes from, its pixels and its truth."""

    row: IndexRow
    image: UInt8[np.ndarray, "height width 3"]
    mask: UInt8[np.ndarray, "height width"]
    instances: Int32[np.ndarray, "height width"] | None = None


def choose_examples(images: Sequence[Measured], count: int) -> list[IndexRow]:
    """Choose `count` images by rule: the strata share the places, within one its groups do, evenly spaced by name.

    Images without foreground are left out where there are enough others, since an empty mask shows little.
    Raises InputError for `count` < 1.
    """
    if count < 1:
        raise InputError(f"inspect.examples: {count}; expected at least 1 image on the overview sheet")
    shown = [image for image in images if image.foreground]
    strata: dict[str, list[IndexRow]] = defaultdict(list)
    for image in shown if len(shown) >= count else images:
        strata[image.row.stratum].append(image.row)
    places = Counter(in_turn([[stratum] * len(strata[stratum]) for stratum in sorted(strata)])[:count])
    return in_turn([_spread(strata[stratum], places[stratum]) for stratum in sorted(places)])


def drawn_colours(classes: Sequence[str]) -> UInt8[np.ndarray, "drawn 3"]:
    """Colours of lines, hatching, text and paper, which a PNG with few colours must keep as they are."""
    return np.concatenate([class_colours(len(classes)), np.array([[0] * 3, [HATCH_GREY] * 3, [255] * 3], np.uint8)])


def in_turn(queues: Sequence[Sequence]) -> list:
    """First of each queue, then second of each, and so on.

    >>> in_turn(["abc", "x", "12"])
    ['a', 'x', '1', 'b', '2', 'c']
    """
    return [item for turn in zip_longest(*queues) for item in turn if item is not None]


def draw_sheet(examples: Sequence[Example], dataset: str, classes: Sequence[str]) -> Figure:
    """Draw examples in pairs: the image, and the image with the outlines of its classes.

    Images larger than 512 px show the window with most foreground; the title says so.
    """
    crops = [_cropped(example) for example in examples]
    columns = min(2, len(crops))
    rows = math.ceil(len(crops) / columns)
    row_in = max(_height_share(crop) for crop in crops) * PAIR_IN / 2 + TITLE_IN
    height = HEADER_IN + rows * row_in + LEGEND_IN
    with house_style():
        figure = Figure(figsize=(columns * PAIR_IN, height), layout="none")
        figure.text(0.01, 1 - 0.16 / height, f"{dataset}: image and annotation", va="top", weight="bold")
        for place, (example, crop) in enumerate(zip(examples, crops, strict=True)):
            row, column = divmod(place, columns)
            bottom = height - HEADER_IN - (row + 1) * row_in
            box = ((column + 0.01) / columns, bottom / height, 0.98 / columns, (row_in - TITLE_IN) / height)
            _draw_pair(figure.add_axes(box), example, crop)
        figure.legend(
            handles=_legend(classes, any((crop.mask == IGNORE).any() for crop in crops)),
            loc="lower center",
            ncols=min(8 if columns == 2 else 4, len(classes)),
        )
    return figure


def _spread(rows: Sequence[IndexRow], count: int) -> list[IndexRow]:
    groups: dict[str, list[IndexRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.name):
        groups[row.group].append(row)
    queues = [groups[group] for group in sorted(groups)]
    if len(queues) >= count:
        queues = [queues[place * len(queues) // count] for place in range(count)]
    return in_turn(queues)[:count]


def _cropped(example: Example) -> Example:
    foreground = (example.mask > 0) & (example.mask != IGNORE)
    rows, columns = (_starts(size) for size in example.mask.shape)
    corners = [(row, column) for row in rows for column in columns]
    windows = [np.s_[row : row + CROP_PX, column : column + CROP_PX] for row, column in corners]
    window = max(windows, key=lambda window: foreground[window].sum())
    instances = None if example.instances is None else example.instances[window]
    return Example(example.row, example.image[window], example.mask[window], instances)


def _starts(size: int) -> list[int]:
    last = max(0, size - CROP_PX)
    return [*range(0, last, CROP_PX // 2), last]


def _height_share(crop: Example) -> float:
    height, width = crop.mask.shape
    return min(1.0, height / width)


def _draw_pair(axes: Axes, example: Example, crop: Example) -> None:
    height, width = crop.mask.shape
    factor = PANEL_PX / max(height, width)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    image = cv2.resize(crop.image, size[::-1], interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    instances = None if crop.instances is None else _nearest(crop.instances, size)
    drawn = outlined(image, _nearest(crop.mask, size), instances=instances)
    gap = np.full((size[0], GAP_PX, 3), 255, np.uint8)
    axes.imshow(np.concatenate([image, gap, drawn], axis=1), interpolation="lanczos")
    axes.set_axis_off()
    axes.set_title(_title(example, crop), loc="left", pad=3)


def _nearest(array: Shaped[np.ndarray, "height width"], size: tuple[int, int]) -> Shaped[np.ndarray, "rows columns"]:
    rows, columns = ((np.arange(new) + 0.5) * old / new for new, old in zip(size, array.shape, strict=True))
    return array[rows.astype(int)[:, None], columns.astype(int)]


def _title(example: Example, crop: Example) -> str:
    row = example.row
    (height, width), whole = crop.mask.shape, example.mask.shape
    part = f"{height}x{width} px" + (f" of {whole[0]}x{whole[1]}" if whole != crop.mask.shape else "")
    group = f"group {row.group}" if row.group not in ("", row.name) else ""
    lines = (row.name, " · ".join(text for text in (row.stratum, group, part) if text))
    return "\n".join(line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…" for line in lines)


def _legend(classes: Sequence[str], has_unannotated: bool) -> list[Patch]:
    colours = class_colours(len(classes)) / 255
    patches = [
        Patch(facecolor=colours[index], edgecolor=MUTED, label=classes[index]) for index in range(1, len(classes))
    ]
    if has_unannotated:
        patches.append(Patch(facecolor=PALE, edgecolor=MUTED, hatch="////", label="not annotated"))
    return patches
