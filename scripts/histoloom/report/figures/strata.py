"""Where models are good and where not: scores of each stratum, such as a tissue, with their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from histoloom.report.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, PALE, PURPLE, SKY, house_style

WIDTH_IN, MARK_IN, GAP_IN, MARGIN_IN, LEGEND_ROW_IN = 8.5, 0.105, 0.13, 1.35, 0.2
VERMILLION = "#D55E00"  # Okabe & Ito 2008
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
MARKERS = "osD^vPX*<>h"  # as many as are told apart when small; 7 x 11 pairs before one comes again
LEGEND_COLUMNS = 4
MANY = 8  # strata
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Stratum:
    """The scores of one stratum by architecture: mean, and the ends of its interval (NaN: there is none)."""

    name: str
    images: int
    groups: int
    scores: dict[str, tuple[float, float, float]]

    @property
    def mean(self) -> float:
        """Mean over architectures, by which strata are sorted."""
        return sum(mean for mean, _, _ in self.scores.values()) / len(self.scores)


def read_strata(
    rows: Sequence[Mapping[str, str]], metric: str, class_name: str, kinds: Sequence[str] = ("model",)
) -> list[Stratum]:
    """The strata of one metric and class in strata.csv, those with the highest mean over architectures first.

    Images and groups are the most that any architecture was scored on; undefined scores are left out.
    """
    found: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        if (row["metric"], row["class"]) == (metric, class_name) and row["kind"] in kinds and row["mean"]:
            found.setdefault(row["stratum"], []).append(row)
    strata = [
        Stratum(
            name or NOT_STATED,
            max(int(row["images"]) for row in its_rows),
            max(int(row["groups"]) for row in its_rows),
            {row["architecture"]: _estimate(row) for row in its_rows},
        )
        for name, its_rows in found.items()
    ]
    return sorted(strata, key=lambda one: (-one.mean, one.name))


def draw_strata(strata: Sequence[Stratum], score: str, is_lower_better: bool = False) -> Figure:
    """Draw a row for each stratum, the best on top, and in it a mark with its interval for each architecture.

    Architectures differ by colour and by shape, so that grey prints can be read too.
    """
    architectures = list(dict.fromkeys(name for one in strata for name in one.scores))
    ordered = strata[::-1] if is_lower_better else strata
    row_in = MARK_IN * len(architectures) + GAP_IN
    legend_in = LEGEND_ROW_IN * -(-len(architectures) // LEGEND_COLUMNS)
    with house_style():
        height = MARGIN_IN + legend_in + row_in * len(strata)
        figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        panel = figure.subplots()
        for row, stratum in enumerate(ordered):
            _draw_stratum(panel, stratum, row, architectures, row_in)
        _label_rows(panel, ordered)
        panel.set_xlabel(f"{score}, with 95 % interval ({'lower' if is_lower_better else 'higher'} is better)")
        figure.legend(
            handles=_legend(architectures),
            loc="outside upper left",
            ncols=LEGEND_COLUMNS,
            title="Scores by stratum",
            title_fontproperties={"weight": "bold", "size": 11},
            alignment="left",
        )
    return figure


def description(strata: Sequence[Stratum], score: str) -> str:
    """Text alternative: the strata with the highest and the lowest mean over architectures.

    >>> none = float("nan")
    >>> high, low = (Stratum(n, 9, 3, {"unet": (s, none, none)}) for n, s in (("colon", 0.8), ("lung", 0.5)))
    >>> description([high, low], "dice (mean)")
    'dice (mean) of 2 strata: from 0.800 in colon to 0.500 in lung, as means over architectures.'
    """
    first, last = strata[0], strata[-1]
    span = f"from {first.mean:.3f} in {first.name} to {last.mean:.3f} in {last.name}"
    return f"{score} of {len(strata)} strata: {span}, as means over architectures."


def _estimate(row: Mapping[str, str]) -> tuple[float, float, float]:
    mean, low, high = (float(row[name] or "nan") for name in ("mean", "low", "high"))
    return mean, low, high


def _draw_stratum(panel: Axes, stratum: Stratum, row: int, architectures: Sequence[str], row_in: float) -> None:
    if row % 2:
        panel.axhspan(row - 0.5, row + 0.5, color=PALE, alpha=0.45, lw=0, zorder=0)
    for place, name in enumerate(architectures):
        if name in stratum.scores:
            mean, low, high = stratum.scores[name]
            y = row + (place - (len(architectures) - 1) / 2) * MARK_IN / row_in
            colour, marker = _look(place)
            panel.hlines(y, low, high, color=colour, lw=1.2, zorder=2)
            panel.plot(mean, y, ls="", marker=marker, ms=5, mfc=colour, mec="white", mew=0.5, zorder=3)


def _label_rows(panel: Axes, strata: Sequence[Stratum]) -> None:
    places = range(len(strata))
    panel.set_yticks(places, [one.name for one in strata])
    panel.set_ylim(len(strata) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0, labelcolor=INK)
    panel.tick_params(axis="x", labeltop=len(strata) > MANY)  # an axis far away is hard to read off
    panel.spines["left"].set_visible(False)
    panel.grid(True, axis="x", zorder=0)
    right = panel.secondary_yaxis("right")
    right.set_yticks(places, [f"{one.images:,} / {one.groups:,}" for one in strata])
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    panel.annotate(
        "images / groups", (1, 1), (4, 5), xycoords="axes fraction", textcoords="offset points", color=MUTED, fontsize=8
    )


def _look(place: int) -> tuple[str, str]:
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def _legend(architectures: Sequence[str]) -> list[Line2D]:
    looks = [_look(place) for place in range(len(architectures))]
    return [
        Line2D([], [], color=colour, marker=marker, lw=1.2, ms=5.5, mec="white", mew=0.5, label=name)
        for name, (colour, marker) in zip(architectures, looks, strict=True)
    ]
