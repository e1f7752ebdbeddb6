"""Which model is best on one dataset, and what may honestly be said of it: ranking and wording, no layout."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

SIGNIFICANT = 0.05
# Below, not even full agreement of the groups is significant: by the sign test, and by Wilcoxon's, n groups of one sign
# have p = 2 / 2^n, 0.0625 for 5 and 0.031 for 6. A percentile interval over 3 groups excludes zero whenever all 3 agree
# (p = 0.25).
FEWEST_GROUPS = 6
FEW_GROUPS = 10  # below, percentile bootstrap intervals are known to be too narrow (Hesterberg 2015)
MODEL, BASELINE, HUMAN, PUBLISHED = KINDS = ("model", "baseline", "human", "published")  # in the order of the tables


@dataclass(frozen=True)
class Score:
    """One row of summary.csv; numbers are None where the score is undefined."""

    architecture: str
    kind: str  # one of KINDS
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
    """A paired difference, first minus second, with its 95 % interval; numbers are None where undefined.

    `p_holm` is Wilcoxon's signed-rank test over the groups, by Holm's method for the `pairs` that were compared.
    """

    first: str
    second: str
    difference: float | None
    low: float | None
    high: float | None
    images: int
    groups: int
    p_holm: float | None
    pairs: int = 1

    @property
    def judgement(self) -> str:
        """ "better" or "worse" only where interval, test and number of groups all allow it (see `is_shown`)."""
        if self.obstacle:
            return "cannot be judged"
        if not self.is_shown:
            return "not distinguishable"
        return "better" if self.low > 0 else "worse"

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes zero, p by Holm is below 0.05, and FEWEST_GROUPS or more stand behind both."""
        if self.groups < FEWEST_GROUPS or None in (self.low, self.high, self.p_holm):
            return False
        return (self.low > 0 or self.high < 0) and self.p_holm < SIGNIFICANT

    @property
    def obstacle(self) -> str:
        """Why nothing can be judged, as a clause; empty where something can."""
        if self.groups and self.groups < FEWEST_GROUPS:
            return f"only {amount(self.groups)}"
        if None in (self.difference, self.low, self.high):
            return "there is no interval"
        if self.p_holm is None:
            return "no group differs, so that nothing could be tested"
        # A p that is significant anyway (ties make it inexact) is not contradicted.
        if self.p_holm >= SIGNIFICANT and self.groups < fewest_groups(self.pairs):
            return f"{amount(self.groups)} are too few for {self.pairs} pairs"
        return ""

    @property
    def holds_zero(self) -> bool:
        """Whether the interval does; False where there is none."""
        return None not in (self.low, self.high) and self.low <= 0 <= self.high


@dataclass(frozen=True)
class Standing:
    """One row of ranking.csv: in which share of resamples a model came first, and its mean rank over groups."""

    architecture: str
    probability_best: float | None
    mean_rank: float | None
    critical_difference: float | None
    groups: int


@dataclass(frozen=True)
class Verdict:
    """What the page says first of one dataset."""

    headline: str
    leader: Score | None
    second: Difference | None  # the leader against the second model
    baseline: Difference | None  # the leader against the best baseline
    tied: tuple[str, ...]  # models that are not shown to be worse than the leader
    cautions: tuple[str, ...]
    is_sure: bool = False  # whether the leader is shown to be better than every other model


def fewest_groups(pairs: int) -> int:
    """The fewest groups whose full agreement is significant when the smallest of `pairs` p values is taken times them.

    >>> fewest_groups(1), fewest_groups(5), fewest_groups(45)
    (6, 8, 11)
    """
    return next(groups for groups in itertools.count(1) if pairs * 2 / 2**groups < SIGNIFICANT)


def too_few(groups: int, pairs: int = 1) -> str:
    """Why too few groups cannot judge `pairs` comparisons at once: not even full agreement would be significant.

    >>> too_few(3)
    'if all 3 groups agree, chance alone does that with p = 2/8 = 0.25, above 0.05'
    >>> too_few(6, pairs=5)
    'if all 6 groups agree, chance alone does that with p = 2/64 = 0.0312, by Holm for 5 pairs 0.156, above 0.05'
    >>> too_few(1)
    'one group shows nothing of how groups differ'
    """
    if groups < 2:
        return "one group shows nothing of how groups differ"
    p = 2 / 2**groups
    corrected = f", by Holm for {pairs} pairs {min(1, pairs * p):.3g}" if pairs > 1 else ""
    return (
        f"if all {groups} groups agree, chance alone does that with p = 2/{2**groups} = {p:.3g}{corrected}, above 0.05"
    )


def amount(groups: int) -> str:
    """A number of groups in words."""
    return "1 group" if groups == 1 else f"{groups} groups"


def score_of(row: Mapping[str, str]) -> Score:
    """Read one row of a summary table."""
    return Score(
        row["architecture"], row["kind"], row["metric"], row["class"], *_numbers(row, "mean", "low", "high"),
        int(row["images"] or 0), int(row["groups"] or 0), row["definition"],
    )  # fmt: skip


def differences_of(rows: Sequence[Mapping[str, str]]) -> list[Difference]:
    """Read the rows of a comparison table that are of one dataset, metric and class: all pairs that Holm counted."""
    pairs = sum(value is not None for row in rows for value in _numbers(row, "p_holm"))
    return [
        Difference(
            row["first"], row["second"], *_numbers(row, "difference", "low", "high"),
            int(row["images"] or 0), int(row["groups"] or 0), *_numbers(row, "p_holm"), max(1, pairs),
        )
        for row in rows
    ]  # fmt: skip


def standing_of(row: Mapping[str, str]) -> Standing:
    """Read one row of a ranking table."""
    numbers = _numbers(row, "probability_best", "mean_rank", "critical_difference")
    return Standing(row["architecture"], *numbers, int(row["groups"] or 0))


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
    models = [one for one in ranked(scores) if one.kind == MODEL and one.mean is not None]
    baselines = [one for one in ranked(scores) if one.kind == BASELINE and one.mean is not None]
    if not models:
        return Verdict("No model has a defined score here", None, None, None, (), ())
    leader, *others = models
    against = {one.architecture: between(leader.architecture, one.architecture, differences) for one in others}
    tied = tuple(name for name, one in against.items() if one is None or one.judgement != "better")
    second = against[others[0].architecture] if others else None
    baseline = between(leader.architecture, baselines[0].architecture, differences) if baselines else None
    headline = _headline(leader.architecture, [against[name] for name in tied], len(models))
    pairs = max((one.pairs for one in differences), default=1)
    cautions = tuple(_cautions(leader, baseline, bool(baselines), pairs))
    return Verdict(headline, leader, second, baseline, tied, cautions, bool(others) and not tied)


def _headline(leader: str, tied: Sequence[Difference | None], models: int) -> str:
    if models == 1:
        return f"{leader} is the only model"
    if not tied:
        return f"{leader} is the best of {models} models"
    unjudged = all(one is None or one.obstacle for one in tied)
    opening = "Which model is best cannot be judged" if unjudged else "No clear best model"
    return f"{opening}: {leader} has the highest mean of {models} models"


def _cautions(leader: Score, baseline: Difference | None, has_baselines: bool, pairs: int) -> Iterable[str]:
    if not has_baselines:
        yield "No baseline has a defined score, so it is not known what this would score without learning."
    elif baseline is None or baseline.judgement != "better":
        yield f"{leader.architecture} is not shown to be better than a baseline that needs no learning."
    if leader.groups < fewest_groups(pairs):
        reason = too_few(leader.groups, pairs)
        yield f"Too few groups to judge: {reason}. At least {fewest_groups(pairs)} are needed."
    if leader.groups < FEW_GROUPS:
        yield f"Only {amount(leader.groups)} of images: intervals from so few are likely too narrow."
    if leader.groups == leader.images:
        yield "Each image is a group of its own: if some are of one patient, intervals are too narrow."


def _turned(one: Difference) -> Difference:
    flipped = [None if value is None else -value for value in (one.difference, one.high, one.low)]
    return replace(one, first=one.second, second=one.first, difference=flipped[0], low=flipped[1], high=flipped[2])


def _numbers(row: Mapping[str, str], *columns: str) -> list[float | None]:
    values = [float(row[column] or "nan") for column in columns]
    return [None if math.isnan(value) else value for value in values]
