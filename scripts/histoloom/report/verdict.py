"""Which model is best on one dataset, and what may honestly be said of it: ranking and wording, no layout."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Below, not even full agreement of the groups is significant: by the sign test, n groups of one sign have p = 2 / 2^n,
# 0.0625 for 5 and 0.031 for 6. A percentile interval over 3 groups excludes zero whenever all 3 agree (p = 0.25).
FEWEST_GROUPS = 6
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
        """ "better" or "worse" only where the interval excludes zero and at least FEWEST_GROUPS stand behind it."""
        if self.obstacle:
            return "cannot be judged"
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "not distinguishable"

    @property
    def obstacle(self) -> str:
        """Why nothing can be judged, as a clause; empty where something can."""
        if self.groups and self.groups < FEWEST_GROUPS:
            return f"only {amount(self.groups)}"
        return "there is no interval" if None in (self.difference, self.low, self.high) else ""


@dataclass(frozen=True)
class Verdict:
    """What the page says first of one dataset."""

    headline: str
    leader: Score | None
    second: Difference | None  # the leader against the second model
    baseline: Difference | None  # the leader against the best baseline
    tied: tuple[str, ...]  # models that are not shown to be worse than the leader
    cautions: tuple[str, ...]


def too_few(groups: int) -> str:
    """Why fewer than FEWEST_GROUPS groups cannot judge, by the two-sided sign test.

    >>> too_few(3)
    'if all 3 groups agree, chance alone does that with p = 2/8 = 0.25, above 0.05'
    >>> too_few(5)
    'if all 5 groups agree, chance alone does that with p = 2/32 = 0.0625, above 0.05'
    >>> too_few(1)
    'one group shows nothing of how groups differ'
    """
    if groups < 2:
        return "one group shows nothing of how groups differ"
    p = f"p = 2/{2**groups} = {2 / 2**groups:g}"
    return f"if all {groups} groups agree, chance alone does that with {p}, above 0.05"


def amount(groups: int) -> str:
    """A number of groups in words."""
    return "1 group" if groups == 1 else f"{groups} groups"


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
    headline = _headline(leader.architecture, [against[name] for name in tied], len(models))
    return Verdict(headline, leader, second, baseline, tied, tuple(_cautions(leader, baseline, bool(baselines))))


def _headline(leader: str, tied: Sequence[Difference | None], models: int) -> str:
    if models == 1:
        return f"{leader} is the only model"
    if not tied:
        return f"{leader} is the best of {models} models"
    unjudged = all(one is None or one.obstacle for one in tied)
    opening = "Which model is best cannot be judged" if unjudged else "No clear best model"
    return f"{opening}: {leader} has the highest mean of {models} models"


def _cautions(leader: Score, baseline: Difference | None, has_baselines: bool) -> Iterable[str]:
    if not has_baselines:
        yield "No baseline has a defined score, so it is not known what this would score without learning."
    elif baseline is None or baseline.judgement != "better":
        yield f"{leader.architecture} is not shown to be better than a baseline that needs no learning."
    if leader.groups < FEWEST_GROUPS:
        yield f"Too few groups to judge: {too_few(leader.groups)}. At least {FEWEST_GROUPS} are needed."
    if leader.groups < FEW_GROUPS:
        yield f"Only {amount(leader.groups)} of images: intervals from so few are likely too narrow."
    if leader.groups == leader.images:
        yield "Each image is a group of its own: if some are of one patient, intervals are too narrow."


def _turned(one: Difference) -> Difference:
    flipped = (None if value is None else -value for value in (one.difference, one.high, one.low))
    return Difference(one.second, one.first, *flipped, one.images, one.groups)


def _numbers(row: Mapping[str, str], *columns: str) -> list[float | None]:
    values = [float(row[column] or "nan") for column in columns]
    return [None if math.isnan(value) else value for value in values]
