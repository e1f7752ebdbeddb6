"""The comparison of two runs as lines for a terminal and as a page."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from histoloom.report.rendering import number, render
from histoloom.report.runs.run_comparison import RunComparison, ScoreChange

HEADS = (
    "dataset",
    "model",
    "metric",
    "class",
    "B is",
    "A",
    "B",
    "B - A",
    "95 % interval",
    "p (Holm)",
    "images",
    "groups",
)


def told(comparison: RunComparison, class_name: str) -> list[str]:
    """Lines for a terminal: config, code, data, then changed scores of one class; of other classes their number."""
    lines = [f"A = {comparison.first}", f"B = {comparison.second}"]
    for title, items in sections(comparison):
        lines += ["", title, *(f"  {item}" for item in items)]
    changed = [change for change in comparison.scores if not change.is_same]
    shown = [change for change in changed if change.class_name in (class_name, "all")]
    lines += ["", f"scores of class {class_name}, B minus A" if shown else "scores"]
    lines += [f"  {line}" for line in aligned([HEADS, *map(_cells, shown)])] if shown else []
    same, others = len(comparison.scores) - len(changed), len(changed) - len(shown)
    told_of = [f"{same} of {len(comparison.scores)} scores are the same in every image"] if same else []
    told_of += [f"{others} more changed, of other classes"] if others else []
    return [*lines, *(f"  {one}" for one in told_of or ["none that both runs have"] * (not shown))]


def comparison_page(template: Path, comparison: RunComparison) -> str:
    """A page of its own: what changed in config, code and data, and every changed score of every class."""
    changed = [change for change in comparison.scores if not change.is_same]
    return render(
        template,
        first=comparison.first,
        second=comparison.second,
        sections=[(title, list(items)) for title, items in sections(comparison)],
        heads=HEADS,
        rows=[(change, _cells(change)) for change in changed],
        same=len(comparison.scores) - len(changed),
        scores=len(comparison.scores),
    )


def sections(comparison: RunComparison) -> Iterable[tuple[str, Sequence[str]]]:
    """Titles, and what changed under each; "nothing changed" where nothing did."""
    nothing = ["nothing changed"]
    yield "config", [str(change) for change in comparison.config] or nothing
    yield "code", list(comparison.code) or nothing
    yield "data", [str(change) for change in comparison.data] or nothing
    if comparison.unpaired:
        yield "in one run only", list(comparison.unpaired)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose columns stand below each other, two spaces apart.

    >>> aligned([("metric", "A"), ("pq", "0.5")])
    ['metric  A', 'pq      0.5']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(change: ScoreChange) -> tuple[str, ...]:
    _, _, _, _, first, second, difference, low, high, images, groups, _, p_holm, judgement = change.row
    interval = "none" if None in (low, high) else f"{number(low, signed=True)} to {number(high, signed=True)}"
    p = "none" if p_holm is None else f"{p_holm:.2g}"
    means = (number(first), number(second), number(difference, signed=True))
    key = (change.dataset, change.architecture, change.metric, change.class_name, judgement)
    return (*key, *means, interval, p, str(images), str(groups))
