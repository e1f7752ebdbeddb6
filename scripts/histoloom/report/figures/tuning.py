"""What a search for values of training found: the course of scores, what mattered, and which values went with what."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from histoloom.report.figures.style import BLUE, INK, MUTED, ORANGE, PALE, house_style
from histoloom.tune.space import Choices, Range

WIDTH_IN, TOP_IN, BOTTOM_IN = 10.0, 3.1, 3.0
MOST_BARS = 12  # values whose importance is shown
COLOURS = "cividis"  # told apart with any colour vision
MARK = {"fontsize": 8, "color": INK, "va": "center", "bbox": {"fc": "white", "ec": "none", "pad": 0.5, "alpha": 0.8}}
MARGIN = 0.06  # of an axis on which choices lie
STATES = {"scored": "o", "behind": "v"}


def draw_tuning(
    trials: Sequence[Mapping[str, str]],
    importances: Sequence[Mapping[str, str]],
    gain: Sequence[Mapping[str, str]],
    space: Mapping[str, Range | Choices],
    score: str,
) -> Figure:
    """Draw the history, the importances and parallel coordinates; rows are those of the study's tables, as texts.

    `score` says what is scored, and on what.
    """
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, TOP_IN + BOTTOM_IN), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(TOP_IN, BOTTOM_IN))
        history, bars = above.subplots(1, 2, width_ratios=(3, 2))
        _draw_history(history, trials, gain, score)
        _draw_importances(bars, importances)
        _draw_coordinates(below, trials, space, score)
        above.legend(*history.get_legend_handles_labels(), loc="outside lower left", ncols=5)
        figure.suptitle("Values of training that were tried", x=0.01, ha="left", weight="bold")
    return figure


def description(trials: Sequence[Mapping[str, str]], gain: Sequence[Mapping[str, str]], score: str) -> str:
    """Text alternative: how many trials, and the gain with its interval.

    >>> gain = [{"what": "best", "score": "0.81", "low": "", "high": "", "trial": "4"}]
    >>> description([{"state": "scored"}, {"state": "failed"}], gain, "dice")
    'dice of 2 trials: 1 scored, 0 behind, 1 failed. Best: trial 4, 0.810.'
    """
    counts = ", ".join(f"{sum(row['state'] == state for row in trials)} {state}" for state in (*STATES, "failed"))
    sides = " ".join(f"{row['what'].capitalize()}:{_trial(row)} {_with_interval(row)}." for row in gain)
    return f"{score} of {len(trials)} trials: {counts}. {sides}"


def places(values: Sequence[Any], each: Range | Choices) -> list[float]:
    """Where values lie on an axis from 0 to 1; NaN where a trial has none.

    >>> places(["0.001", "0.01", ""], Range(1e-3, 1e-1, log=True)), places(["4", "8"], (4, 8))
    ([0.0, 0.5, nan], [0.06, 0.94])
    """
    return [_place(value, each) if value else math.nan for value in values]


def _trial(row: Mapping[str, str]) -> str:
    return "" if row["what"] == "difference" else f" trial {row['trial']},"


def _with_interval(row: Mapping[str, str]) -> str:
    if not row["low"]:
        return f"{float(row['score']):.3f}"
    return f"{float(row['score']):.3f} (95 % {float(row['low']):.3f} to {float(row['high']):.3f})"


def _draw_history(
    panel: Axes, trials: Sequence[Mapping[str, str]], gain: Sequence[Mapping[str, str]], score: str
) -> None:
    for state, marker in STATES.items():
        rows = [row for row in trials if row["state"] == state]
        numbers, scores = [int(row["trial"]) for row in rows], [float(row["score"]) for row in rows]
        filled = BLUE if state == "scored" else "white"
        if rows:
            panel.plot(numbers, scores, ls="", marker=marker, ms=4.5, mfc=filled, mec=BLUE, label=state, zorder=3)
    _draw_failed(panel, [int(row["trial"]) for row in trials if row["state"] == "failed"])
    _draw_best(panel, trials)
    default = next((row for row in gain if row["what"] == "default"), None)
    if default:
        panel.axhline(float(default["score"]), color=ORANGE, lw=1.2, zorder=2, label="the config's own values")
        if default["low"]:
            panel.axhspan(float(default["low"]), float(default["high"]), color=ORANGE, alpha=0.15, lw=0, zorder=0)
    panel.set_xlabel("trial")
    panel.set_ylabel("\non ".join(score.split(" on ", 1)))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_title(_headline(gain), loc="left")


def _draw_failed(panel: Axes, numbers: Sequence[int]) -> None:
    if numbers:
        # On the lower edge, since they have no score.
        heights = np.zeros(len(numbers))
        options = {"transform": panel.get_xaxis_transform(), "clip_on": False}
        panel.plot(numbers, heights, ls="", marker="x", ms=5, color=MUTED, label="failed", **options)


def _draw_best(panel: Axes, trials: Sequence[Mapping[str, str]]) -> None:
    scored = [(int(row["trial"]), float(row["score"])) for row in trials if row["state"] == "scored"]
    numbers = [number for number, _ in scored]
    best = np.maximum.accumulate([score for _, score in scored])
    last = int(trials[-1]["trial"])
    panel.step([*numbers, last], [*best, best[-1]], where="post", color=INK, lw=1, zorder=1, label="best so far")


def _headline(gain: Sequence[Mapping[str, str]]) -> str:
    difference = next((row for row in gain if row["what"] == "difference"), None)
    if difference is None:
        return "The config's own values have no score to compare with"
    return f"Gain on these images: {_with_interval(difference)}"


def _draw_importances(panel: Axes, importances: Sequence[Mapping[str, str]]) -> None:
    shown = sorted(importances, key=lambda row: float(row["importance"]))[-MOST_BARS:]
    panel.set_title("Importance", loc="left")
    if not shown:
        panel.text(0.5, 0.5, "too few scored trials to tell", ha="center", va="center", color=MUTED)
        panel.set_axis_off()
        return
    bars = panel.barh([_short(row["value"]) for row in shown], [float(row["importance"]) for row in shown], color=BLUE)
    panel.bar_label(bars, fmt="%.2f", padding=2)
    panel.set_xlim(0, 1.15)
    panel.set_xlabel("share, by PED-ANOVA")


def _draw_coordinates(
    figure: Any, trials: Sequence[Mapping[str, str]], space: Mapping[str, Range | Choices], score: str
) -> None:
    panel = figure.subplots()
    rows = sorted((row for row in trials if row["state"] in STATES), key=lambda row: float(row["score"]))
    scores = np.array([float(row["score"]) for row in rows])
    scale = Normalize(scores.min(), scores.max())
    heights = np.array([places([row[name] for row in rows], each) for name, each in space.items()]).T
    axes = np.arange(len(space))
    points = [np.column_stack([axes, line]) for line in heights]
    lines = LineCollection(points, cmap=COLOURS, norm=scale, array=scores, lw=1.2, alpha=0.85)
    panel.add_collection(lines)
    for axis, line in zip(axes, heights.T, strict=True):  # a single axis has no line
        panel.scatter(np.full(len(rows), axis), line, c=scores, cmap=COLOURS, norm=scale, s=12, zorder=3)
    for own in (line for row, line in zip(rows, points, strict=True) if row["trial"] == "0"):
        panel.plot(*own.T, color=ORANGE, ls="--", lw=1.8, zorder=2)
    panel.vlines(axes, 0, 1, color=PALE, lw=1.5, zorder=0)
    for axis, each in zip(axes, space.values(), strict=True):
        for height, word in _marks(each):
            panel.annotate(word, (axis, height), (7, 0), textcoords="offset points", **MARK)
    panel.set_xlim(-0.15, len(space) - 0.6)
    panel.set_ylim(-0.04, 1.04)
    panel.set_xticks(axes, [_short(name) for name in space])
    panel.set_yticks([])
    panel.spines[["left", "bottom"]].set_visible(False)
    panel.tick_params(length=0)
    panel.set_title("Which values went with which score (dashed: the config's own values)", loc="left")
    figure.colorbar(ScalarMappable(scale, COLOURS), ax=panel, label=score.partition(" on ")[0], pad=0.01)


def _short(name: str) -> str:
    return name.replace(".", ".\n", 1)


def _place(value: str, each: Range | Choices) -> float:
    if not isinstance(each, Range):
        found = [index for index, choice in enumerate(each) if _is_written(value, choice)]
        return MARGIN + (1 - 2 * MARGIN) * found[0] / max(len(each) - 1, 1) if found else math.nan
    number = min(max(float(value), each.low), each.high)  # before its logarithm, which 0 does not have
    if each.log:
        number, low, high = math.log(number), math.log(each.low), math.log(each.high)
    else:
        low, high = each.low, each.high
    return (number - low) / (high - low) if high > low else 0.5


def _is_written(text: str, choice: bool | int | float | str) -> bool:
    """Whether a table's text says the choice; 1.0 and 1 are one number."""
    if isinstance(choice, bool | str):
        return text == str(choice)
    try:
        return float(text) == choice
    except ValueError:  # the text of another choice
        return False


def _marks(each: Range | Choices) -> list[tuple[float, str]]:
    if isinstance(each, Range):
        return [(0.0, f"{each.low:g}"), (1.0, f"{each.high:g}")]
    return [(_place(str(choice), each), str(choice)) for choice in each]
