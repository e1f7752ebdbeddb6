"""How the images of a dataset are stained, group by group: the colours of both stains, and colour and its spread."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from histoloom.colour.stain import angle_deg, from_optical_density
from histoloom.prepare.inspection.measuring import Measured
from histoloom.report.figures.style import BLUE, INK, MUTED, ORANGE, PALE, house_style

MOST_ROWS = 24  # more groups than that are shown by stratum, or every n-th of them from dark to light
SWATCH_DENSITY = 0.9  # natural optical density of the swatches: as strong as a well stained nucleus
LONGEST_NAME = 28
WIDTH_IN, ROW_IN, MARGIN_IN = 10.0, 0.3, 1.5
STAINS = ("haematoxylin", "eosin")


def draw_stains(images: Sequence[Measured], dataset: str) -> Figure:
    """Draw a row for each group: its stains as colours, its mean colour and spread, and how far its stains deviate."""
    seen = [image for image in images if image.look.mean is not None]
    rows, title = rows_of(seen)
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, MARGIN_IN + ROW_IN * max(3, len(rows))), layout="constrained")
        figure.suptitle(f"{dataset}: stain and colour of tissue, {title}", x=0.01, ha="left", weight="bold")
        if not rows:
            figure.text(0.5, 0.5, "no image shows tissue", ha="center", color=MUTED)
            return figure
        swatches, colours, angles = figure.subplots(1, 3, sharey=True, width_ratios=(1.1, 1.5, 1.5))
        _draw_swatches(swatches, rows)
        _draw_colours(colours, list(rows.values()))
        _draw_angles(angles, list(rows.values()), median_stains(seen))
        swatches.set_ylim(len(rows) - 0.4, -0.6)
    return figure


def rows_of(images: Sequence[Measured]) -> tuple[dict[str, list[Measured]], str]:
    """Images by group, and words that say how the rows were chosen; by stratum where there are too many groups.

    Where there are too many strata as well, or only one, groups are taken evenly from the darkest to the lightest.
    """
    groups, strata = (_gathered(images, key) for key in ("group", "stratum"))
    if len(groups) <= MOST_ROWS:
        return groups, "by group"
    if 1 < len(strata) <= MOST_ROWS:
        return strata, f"by stratum ({len(groups)} groups)"
    order = sorted(groups, key=lambda name: float(np.mean([image.look.mean for image in groups[name]])))
    chosen = [order[round(place)] for place in np.linspace(0, len(order) - 1, MOST_ROWS)]
    return {name: groups[name] for name in chosen}, f"{MOST_ROWS} of {len(groups)} groups, dark to light"


def median_stains(images: Sequence[Measured]) -> Float64[np.ndarray, "2 3"] | None:
    """The median haematoxylin and eosin of all images, as unit vectors; None where no estimate succeeded."""
    known = [image.look.stain for image in images if image.look.stain is not None]
    if not known:
        return None
    middle = np.median(np.stack(known).astype(np.float64), axis=0)
    return middle / np.linalg.norm(middle, axis=1, keepdims=True)


def _gathered(images: Sequence[Measured], key: str) -> dict[str, list[Measured]]:
    gathered = defaultdict(list)
    for image in sorted(images, key=lambda image: getattr(image.row, key)):
        gathered[getattr(image.row, key) or f"no {key}"].append(image)
    return dict(gathered)


def _draw_swatches(panel: Axes, rows: Mapping[str, Sequence[Measured]]) -> None:
    for place, images in enumerate(rows.values()):
        stains = median_stains(images)
        pair = [None, None] if stains is None else from_optical_density(SWATCH_DENSITY * stains) / 255
        for column, colour in enumerate([*pair, np.mean([image.look.mean for image in images], axis=0) / 255]):
            _draw_swatch(panel, column, place, colour)
    names = [f"{_shortened(name)} ({len(images)})" for name, images in rows.items()]
    panel.set_yticks(range(len(rows)), names)
    panel.set_xlim(-0.55, 2.55)
    panel.set_xticks(range(3), ["haema-\ntoxylin", "eosin", "mean\ncolour"])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_title("colours (images)", loc="left")


def _draw_swatch(panel: Axes, column: int, place: int, colour: Float[np.ndarray, "3"] | None) -> None:
    if colour is None:
        panel.text(column, place, "none", ha="center", va="center", color=MUTED, fontsize=8)
    else:
        panel.add_patch(Rectangle((column - 0.45, place - 0.36), 0.9, 0.72, facecolor=colour, edgecolor=PALE))


def _draw_colours(panel: Axes, rows: Sequence[Sequence[Measured]]) -> None:
    # Letters, not red and green marks: a reader may not see these apart.
    halo = [withStroke(linewidth=2.5, foreground="white")]
    for place, images in enumerate(rows):
        mean, sd = (np.mean([getattr(image.look, name) for image in images], axis=0) for name in ("mean", "sd"))
        for channel, letter in enumerate("RGB"):
            at = place + 0.26 * (channel - 1)
            panel.plot([mean[channel] - sd[channel], mean[channel] + sd[channel]], [at, at], color="#9aa5b1", lw=1.2)
            style = {"fontsize": 7, "weight": "bold", "color": INK, "path_effects": halo}
            panel.text(mean[channel], at, letter, ha="center", va="center_baseline", **style)
    _striped(panel, len(rows))
    panel.set_xlim(0, 255)
    panel.set_xticks([0, 64, 128, 192, 255])
    panel.set_xlabel("0 to 255, tissue only; line: one standard deviation\nof an image's pixels each way")
    panel.set_title("mean red, green, blue", loc="left")


def _draw_angles(panel: Axes, rows: Sequence[Sequence[Measured]], middle: Float64[np.ndarray, "2 3"] | None) -> None:
    if middle is not None:
        for stain, (colour, marker, shift) in enumerate(((BLUE, "o", -0.15), (ORANGE, "D", 0.15))):
            points = [
                (angle_deg(image.look.stain[stain], middle[stain]), place + shift)
                for place, images in enumerate(rows)
                for image in images
                if image.look.stain is not None
            ]
            across, down = zip(*points, strict=True) if points else ((), ())
            panel.scatter(across, down, s=12, c=colour, marker=marker, alpha=0.55, lw=0, label=STAINS[stain])
        panel.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0, handletextpad=0.1, columnspacing=0.8
        )
    _striped(panel, len(rows))
    panel.set_xlim(left=0)
    panel.set_xlabel("degrees from the median stain of the dataset,\na mark for each image")
    panel.set_title("deviation", loc="left")


def _striped(panel: Axes, count: int) -> None:
    for place in range(0, count, 2):
        panel.axhspan(place - 0.5, place + 0.5, color=PALE, alpha=0.35, lw=0)
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
