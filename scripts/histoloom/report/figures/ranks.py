"""Which models can be told apart: their mean ranks on one axis, and bars that join those that cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from histoloom.report.figures.statement import statement
from histoloom.report.figures.style import BLUE, INK, MUTED, ORANGE, house_style

AXIS_IN, ROW_IN, BAR_IN, MARGIN_IN = 4.0, 0.26, 0.13, 1.75
WARNING = "#8a5a00"  # orange dark enough to be read on white (5.9 to 1)
LETTER_IN = 0.076  # width of most letters, for the room of the names beside the axis


@dataclass(frozen=True)
class Ranked:
    """A model's mean rank over groups (1 is best), and how often it is best in resamples (None: unknown)."""

    architecture: str
    mean_rank: float
    probability_best: float | None


def ranked_models(rows: Sequence[Mapping[str, str]], metric: str, class_name: str) -> list[Ranked]:
    """The models of one metric and class in ranking.csv, best first; those without a rank are left out."""
    found = [
        Ranked(
            row["architecture"],
            float(row["mean_rank"]),
            float(row["probability_best"]) if row["probability_best"] else None,
        )
        for row in rows
        if (row["metric"], row["class"]) == (metric, class_name) and row["mean_rank"]
    ]
    return sorted(found, key=lambda one: (one.mean_rank, one.architecture))


def joined(ranks: Sequence[float], critical_difference: float) -> list[tuple[int, int]]:
    """First and last place of each longest run of sorted ranks that lie closer than the critical difference.

    >>> joined([1.0, 1.5, 2.2, 4.0], 1.0)
    [(0, 1), (1, 2)]
    """
    runs: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(place for place, other in enumerate(ranks) if other - rank < critical_difference)
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return runs


def draw_ranks(models: Sequence[Ranked], critical_difference: float, groups: int, score: str) -> Figure:
    """Draw the axis of mean ranks, best at the left, names on both sides, and a bar for each run that is joined.

    With fewer than two models the picture says that there is nothing to rank.
    Source: Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006, figure 1.
    """
    if len(models) < 2:
        return statement(f"Nothing to rank by {score}: {len(models) or 'no'} model{'s' * (not models)} with a score")
    runs = joined([one.mean_rank for one in models], critical_difference)
    half = (len(models) + 1) // 2
    name_in = LETTER_IN * max(len(_text(one)) for one in models) + 0.3
    height = MARGIN_IN + BAR_IN * len(runs) + ROW_IN * half
    with house_style():
        figure = Figure(figsize=(AXIS_IN + 2 * name_in, height), layout="constrained")
        panel = figure.subplots()
        _draw_axis(panel, len(models))
        _draw_critical_difference(panel, critical_difference, len(models))
        for place, (first, last) in enumerate(runs):
            _draw_run(panel, models[first].mean_rank, models[last].mean_rank, 0.13 + BAR_IN * place)
        for place, one in enumerate(models):
            is_left = place < half
            row = place if is_left else len(models) - 1 - place
            _draw_name(panel, one, 0.3 + BAR_IN * len(runs) + ROW_IN * row, len(models), is_left)
        side = (len(models) - 1) * name_in / AXIS_IN
        panel.set(xlim=(1 - side, len(models) + side), ylim=(0.2 + BAR_IN * len(runs) + ROW_IN * half, -0.65))
        panel.set_axis_off()
        figure.suptitle(f"Mean rank by {score} over {groups} groups", x=0.01, ha="left", weight="bold")
        figure.supxlabel(_footnote(models), fontsize=8, x=0.01, ha="left", color=MUTED)
    return figure


def description(models: Sequence[Ranked], critical_difference: float, score: str) -> str:
    """Text alternative: the ranks, and which models cannot be told apart.

    >>> models = [Ranked("unet", 1.2, 0.9), Ranked("fpn", 1.8, 0.1)]
    >>> description(models, 1.0, "dice")
    'Mean ranks by dice: unet 1.20, fpn 1.80. Critical difference 1.00. Not told apart: unet to fpn.'
    """
    if len(models) < 2:
        return f"Nothing to rank by {score}."
    ranks = ", ".join(f"{one.architecture} {one.mean_rank:.2f}" for one in models)
    runs = joined([one.mean_rank for one in models], critical_difference)
    ends = "; ".join(f"{models[first].architecture} to {models[last].architecture}" for first, last in runs)
    told = f"Not told apart: {ends}." if runs else "All are told apart."
    return f"Mean ranks by {score}: {ranks}. Critical difference {critical_difference:.2f}. {told}"


def _draw_axis(panel: Axes, models: int) -> None:
    panel.plot([1, models], [0, 0], color=INK, lw=1.2)
    for rank in range(1, models + 1):
        panel.plot([rank, rank], [0, -0.06], color=INK, lw=1.2)
        panel.text(rank, -0.1, str(rank), ha="center", va="bottom", color=MUTED)
    panel.annotate("best", (1, 0), (-10, 0), textcoords="offset points", ha="right", va="center", color=MUTED)
    panel.annotate("worst", (models, 0), (10, 0), textcoords="offset points", va="center", color=MUTED)


def _draw_critical_difference(panel: Axes, critical_difference: float, models: int) -> None:
    text = f"critical difference {critical_difference:.2f}"
    if critical_difference > models - 1:
        panel.text(1, -0.5, f"{text}: more than ranks can differ by, so nothing can be told apart", color=WARNING)
        return
    end = 1 + critical_difference
    panel.plot([1, end], [-0.45, -0.45], color=ORANGE, lw=2.2, marker="|", ms=8, mew=1.6)
    panel.annotate(text, (end, -0.45), (8, 0), textcoords="offset points", va="center")


def _draw_run(panel: Axes, first: float, last: float, y: float) -> None:
    panel.plot([first, last], [y, y], color=BLUE, lw=4, solid_capstyle="round", zorder=3)


def _draw_name(panel: Axes, one: Ranked, y: float, models: int, is_left: bool) -> None:
    end = 1 - 0.02 * models if is_left else models + 0.02 * models
    panel.plot([one.mean_rank, one.mean_rank, end], [0, y, y], color=MUTED, lw=0.9)
    panel.plot(one.mean_rank, 0, marker="o", ms=4, color=INK, zorder=4)
    offset = (-4, 0) if is_left else (4, 0)
    side = "right" if is_left else "left"
    panel.annotate(_text(one), (end, y), offset, textcoords="offset points", ha=side, va="center")


def _text(one: Ranked) -> str:
    best = "" if one.probability_best is None else f", best in {one.probability_best:.0%}"
    return f"{one.architecture}  ({one.mean_rank:.2f}{best})"


def _footnote(models: Sequence[Ranked]) -> str:
    best = "\nbest in: share of bootstrap resamples of the groups in which its mean is the best one"
    has_best = any(one.probability_best is not None for one in models)
    return "blue bar: not told apart by Nemenyi's test at 0.05 (Demšar 2006)" + best * has_best
