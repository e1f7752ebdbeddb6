"""Which model is best on one dataset, and what may honestly be said of it: ranking and wording, no layout."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

FEW_GROUPS = 10  # below, percentile bootstrap intervals are known to be too narrow (Hesterberg 2015)


@dataclass(frozen=True)
class Score:
    """One row of summary.csv; numbers are None where the score is undefined."""

    architecture: str
    kind: str  # "model" or "baseline"
    metric: str
    class_name: str
    mean: float | None
    low: float | None
    high: float | None
    images: int
    groups: int
    definition: str


@dataclass(frozen=True)
class Difference:
    """A paired difference, first minus second, with its 95 % interval; numbers are None where undefined."""

    first: str
    second: str
    difference: float | None
    low: float | None
    high: float | None
    images: int
    groups: int

    @property
    def judgement(self) -> str:
        """ "better" or "worse" only where the interval excludes zero and more than one group stands behind it."""
        if self.difference is None or self.low is None or self.high is None or self.groups < 2:
            return "cannot be judged"
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "not distinguishable"


@dataclass(frozen=True)
class Verdict:
    """What the page says first of one dataset."""

    headline: str
    leader: Score | None
    second: Difference | None  # the leader against the second model
    baseline: Difference | None  # the leader against the best baseline
    tied: tuple[str, ...]  # models that are not shown to be worse than the leader
    cautions: tuple[str, ...]


def score_of(row: Mapping[str, str]) -> Score:
    """Read one row of a summary table."""
    return Score(
        row["architecture"], row["kind"], row["metric"], row["class"], *_numbers(row, "mean", "low", "high"),
        int(row["images"] or 0), int(row["groups"] or 0), row["definition"],
    )  # fmt: skip


def difference_of(row: Mapping[str, str]) -> Difference:
    """Read one row of a comparison table."""
    numbers = _numbers(row, "difference", "low", "high")
    return Difference(row["first"], row["second"], *numbers, int(row["images"] or 0), int(row["groups"] or 0))


def ranked(scores: Iterable[Score]) -> list[Score]:
    """Highest mean first (every headline metric here grows with quality), undefined last, ties by name."""
    return sorted(scores, key=lambda one: (one.mean is None, -(one.mean or 0.0), one.architecture))


def between(first: str, second: str, differences: Iterable[Difference]) -> Difference | None:
    """The difference first minus second, whichever way round the table holds it; None where it does not."""
    for one in differences:
        if (one.first, one.second) == (first, second):
            return one
        if (one.first, one.second) == (second, first):
            return _turned(one)
    return None


def judge(scores: Sequence[Score], differences: Sequence[Difference]) -> Verdict:
    """Name the model with the highest mean, and say how sure that is.

    `scores` and `differences` are those of one dataset, metric and class.
    """
    models = [one for one in ranked(scores) if one.kind == "model" and one.mean is not None]
    baselines = [one for one in ranked(scores) if one.kind == "baseline" and one.mean is not None]
    if not models:
        return Verdict("No model has a defined score here", None, None, None, (), ())
    leader, *others = models
    against = {one.architecture: between(leader.architecture, one.architecture, differences) for one in others}
    tied = tuple(name for name, one in against.items() if one is None or one.judgement != "better")
    second = against[others[0].architecture] if others else None
    baseline = between(leader.architecture, baselines[0].architecture, differences) if baselines else None
    headline = _headline(leader.architecture, tied, bool(others))
    return Verdict(headline, leader, second, baseline, tied, tuple(_cautions(leader, baseline, bool(baselines))))


def _headline(leader: str, tied: Sequence[str], has_rivals: bool) -> str:
    if not has_rivals:
        return f"{leader} is the only model"
    return f"No clear best model: {leader} has the highest mean" if tied else f"{leader} is best"


def _cautions(leader: Score, baseline: Difference | None, has_baselines: bool) -> Iterable[str]:
    if not has_baselines:
        yield "No baseline has a defined score, so it is not known what this would score without learning."
    elif baseline is None or baseline.judgement != "better":
        yield f"{leader.architecture} is not shown to be better than a baseline that needs no learning."
    if leader.groups < FEW_GROUPS:
        yield f"Only {leader.groups} group(s) of images: intervals from so few are likely too narrow."


def _turned(one: Difference) -> Difference:
    flipped = (None if value is None else -value for value in (one.difference, one.high, one.low))
    return Difference(one.second, one.first, *flipped, one.images, one.groups)


def _numbers(row: Mapping[str, str], *columns: str) -> list[float | None]:
    values = [float(row[column] or "nan") for column in columns]
    return [None if math.isnan(value) else value for value in values]
