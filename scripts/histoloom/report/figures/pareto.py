"""What a score costs: score against time, memory and size of each architecture, with those that nothing beats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from histoloom.report.figures.point_labels import label_points
from histoloom.report.figures.statement import statement
from histoloom.report.figures.style import BLUE, INK, MUTED, ORANGE, house_style

WIDTH_IN, HEIGHT_IN, TALL_IN = 10.0, 4.2, 5.4
FEW = 6  # architectures; more need room for their names
TIME = {"seconds_per_mm2": "seconds per mm² of tissue", "seconds_per_megapixel": "seconds per megapixel"}
NAMES = TIME | {"peak_memory_mib": "peak memory in MiB", "parameters": "parameters"}
MARKERS = {"model": "o", "baseline": "s"}
COLOURS = {"model": BLUE, "baseline": ORANGE}
FEW_TIMES, VERY_FEW_TIMES = 20, 4  # largest cost over smallest: below, an axis is marked between the powers of ten
LEAST_ROOM = 1.5  # times: costs that are alike are to look alike
DEVICE_WIDTH = 45  # letters
THOUSANDS = ((1e9, " G"), (1e6, " M"), (1e3, " k"))


@dataclass(frozen=True)
class Priced:
    """The score of an architecture with its 95 % interval (None: there is none), and its costs by column."""

    architecture: str
    kind: str
    mean: float
    low: float | None
    high: float | None
    costs: dict[str, float]

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval to draw."""
        return self.low is not None and self.high is not None


def priced(
    summary: Sequence[Mapping[str, str]], costs: Sequence[Mapping[str, str]], metric: str, class_name: str
) -> list[Priced]:
    """Bring rows of summary.csv and costs.csv together; an architecture without score or costs is left out."""
    of_architecture = {row["architecture"]: row for row in costs}
    return [
        Priced(
            row["architecture"],
            row["kind"],
            float(row["mean"]),
            float(row["low"]) if row["low"] else None,
            float(row["high"]) if row["high"] else None,
            _positive(of_architecture[row["architecture"]]),
        )
        for row in summary
        if (row["metric"], row["class"]) == (metric, class_name)
        and row["mean"]
        and row["kind"] in MARKERS
        and row["architecture"] in of_architecture
    ]


def pareto_front(points: Sequence[tuple[float, float]], is_lower_better: bool = False) -> list[int]:
    """Places of the points (cost, score) that no other one beats: none costs as little and scores better, or less.

    >>> pareto_front([(1.0, 0.5), (2.0, 0.7), (3.0, 0.6), (2.0, 0.7)])
    [0, 1, 3]
    """
    better = [(cost, score if is_lower_better else -score) for cost, score in points]  # small is good in both
    return [
        place
        for place, (cost, score) in enumerate(better)
        if not any(one != (cost, score) and one[0] <= cost and one[1] <= score for one in better)
    ]


def draw_pareto(points: Sequence[Priced], score: str, is_lower_better: bool, devices: Sequence[str] = ()) -> Figure:
    """Draw three panels that share the score's axis: time, peak memory and number of parameters, all logarithmic.

    Filled points and the line are those that nothing beats. `score` names metric and class, `devices` what times and
    memory were measured on. Without points the picture says so.
    """
    if not points:
        return statement(f"Score against cost: nothing has both a defined {score} and a measured cost")
    time = "seconds_per_mm2" if all("seconds_per_mm2" in one.costs for one in points) else "seconds_per_megapixel"
    costs = (time, "peak_memory_mib", "parameters")
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN if len(points) <= FEW else TALL_IN), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
        for panel, cost in zip(panels, costs, strict=True):
            _draw_costs(panel, cost, [one for one in points if cost in one.costs], is_lower_better)
            panel.set_xlabel(NAMES[cost] + _measured_on(devices) * (cost != "parameters"))
        panels[0].set_ylabel(f"{score}\n({'lower' if is_lower_better else 'higher'} is better)")
        panels[0].margins(y=0.12)
        figure.suptitle("Score against cost", x=0.01, ha="left", weight="bold")
        figure.legend(handles=_legend(points), loc="outside lower left", ncols=5)
        for panel, cost in zip(panels, costs, strict=True):
            _name_points(panel, cost, [one for one in points if cost in one.costs], is_lower_better)
    return figure


def description(points: Sequence[Priced], score: str, is_lower_better: bool) -> str:
    """Text alternative: for each cost, the architectures that nothing beats, cheapest first.

    >>> one = Priced("unet", "model", 0.8, None, None, {"parameters": 2e6})
    >>> description([one], "dice (mean)", False)
    'dice (mean) against cost. Not beaten by parameters: unet (0.800 at 2 M).'
    """
    parts = []
    for cost, name in NAMES.items():
        shown = [one for one in points if cost in one.costs]
        front = pareto_front([(one.costs[cost], one.mean) for one in shown], is_lower_better)
        best = sorted((shown[place] for place in front), key=lambda one: (one.costs[cost], one.architecture))
        words = ", ".join(f"{one.architecture} ({one.mean:.3f} at {short_number(one.costs[cost])})" for one in best)
        parts += [f"Not beaten by {name}: {words}."] if words else []
    return " ".join([f"{score} against cost.", *parts])


def short_number(value: float) -> str:
    """A number of any size in at most six characters.

    >>> [short_number(value) for value in (0.0251, 3.0, 900.0, 2_340_000.0, 31e6)]
    ['0.0251', '3', '900', '2.34 M', '31 M']
    """
    for size, unit in THOUSANDS:
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _positive(row: Mapping[str, str]) -> dict[str, float]:
    # A logarithmic axis has no place for the no parameters of a method that is not learned.
    return {name: float(row[name]) for name in NAMES if row[name] and float(row[name]) > 0}


def _draw_costs(panel: Axes, cost: str, points: Sequence[Priced], is_lower_better: bool) -> None:
    panel.set_xscale("log")
    front = _front(cost, points, is_lower_better)
    for one in points:
        at, colour = (one.costs[cost], one.mean), COLOURS[one.kind]
        if one.has_interval:
            panel.vlines(at[0], one.low, one.high, color=colour, lw=1, alpha=0.6, zorder=1)
        filled = colour if at in front else "white"
        panel.plot(*at, ls="", marker=MARKERS[one.kind], ms=6.5, mfc=filled, mec=colour, mew=1.4, zorder=3)
    if front:
        panel.plot(*zip(*front, strict=True), drawstyle="steps-post", color=INK, lw=0.9, ls=(0, (4, 2)), zorder=2)
    panel.grid(True, axis="y")
    _mark_axis(panel, [one.costs[cost] for one in points])


def _front(cost: str, points: Sequence[Priced], is_lower_better: bool) -> list[tuple[float, float]]:
    places = [(one.costs[cost], one.mean) for one in points]
    return sorted(places[place] for place in pareto_front(places, is_lower_better))


def _name_points(panel: Axes, cost: str, points: Sequence[Priced], is_lower_better: bool) -> None:
    places = [(one.costs[cost], one.mean) for one in points]
    intervals = [((x, one.low), (x, one.high)) for (x, _), one in zip(places, points, strict=True) if one.has_interval]
    front = _front(cost, points, is_lower_better)
    corners = [(after[0], before[1]) for before, after in pairwise(front)]
    steps = [*zip(front[:-1], corners, strict=True), *zip(corners, front[1:], strict=True)]
    lines = [Bbox([start, end]) for start, end in (*intervals, *steps)]
    label_points(panel, places, [one.architecture for one in points], lines)


def _mark_axis(panel: Axes, costs: Sequence[float]) -> None:
    if not costs:
        return
    times = max(costs) / min(costs)
    room = max(times**0.25, LEAST_ROOM)
    panel.set_xlim(min(costs) / room, max(costs) * room)
    subs = (1, 2, 5) if times < FEW_TIMES else (1,)
    panel.xaxis.set_major_locator(
        MaxNLocator(4, steps=[1, 2, 5, 10]) if times < VERY_FEW_TIMES else LogLocator(subs=subs)
    )
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _measured_on(devices: Sequence[str]) -> str:
    return "\non " + "\n".join(wrap(", ".join(devices), DEVICE_WIDTH)) if devices else ""


def _legend(points: Sequence[Priced]) -> list[Line2D]:
    kinds = [kind for kind in MARKERS if any(one.kind == kind for one in points)]
    marks = [
        Line2D([], [], ls="", marker=MARKERS[kind], ms=6.5, mfc=COLOURS[kind], mec=COLOURS[kind], label=kind)
        for kind in kinds
    ]
    hollow = Line2D(
        [], [], ls="", marker="o", ms=6.5, mfc="white", mec=MUTED, mew=1.4, label="hollow: beaten by another"
    )
    line = Line2D(
        [], [], color=INK, lw=0.9, ls=(0, (4, 2)), label="filled, dashed: nothing costs less and scores better"
    )
    interval = Line2D([], [], color=MUTED, lw=1, label="95 % interval")
    return [*marks, hollow, line, interval]
