"""The first page of the report: which model is best, by how much, how sure, and where does it fail."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from histoloom.findings import SEVERITIES
from histoloom.prepared import Description
from histoloom.report.front.costs import Cost
from histoloom.report.front.forest import ForestAxis, forest_axis
from histoloom.report.front.notices import OF_FINDINGS, Notice, notices
from histoloom.report.front.picture import Picture, picture
from histoloom.report.front.verdict import (
    BASELINE,
    KINDS,
    PUBLISHED,
    Difference,
    Score,
    Standing,
    Verdict,
    between,
    judge,
    ranked,
)

SHOWN_CLASSES = ("foreground", "mean", "all")  # the page has every metric of these, and one metric of every class


@dataclass(frozen=True)
class Row:
    """One line of the headline table; `to_leader` is the leader minus this one, None for itself.

    `anchor` is the line's id on the page.
    """

    score: Score
    to_leader: Difference | None
    is_leader: bool
    standing: Standing | None
    anchor: str


@dataclass(frozen=True)
class TableRow:
    """One metric of one class: a score for each architecture, None where it has none."""

    metric: str
    class_name: str
    is_lower_better: bool
    scores: tuple[Score | None, ...]


@dataclass(frozen=True)
class Table:
    """Scores of one dataset: a row for each metric and class, a column for each architecture."""

    architectures: tuple[str, ...]
    rows: tuple[TableRow, ...]
    definitions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Section:
    """What the page says of one dataset; `anchor` is its id on the page."""

    description: Description
    anchor: str
    verdict: Verdict
    rows: tuple[Row, ...]
    axis: ForestAxis
    table: Table
    findings: tuple[Mapping[str, str], ...]
    warnings: tuple[str, ...]
    notices: tuple[Notice, ...]
    costs: tuple[Cost, ...]
    weakest: Score | None  # class on which the leader is worst
    picture: Picture | None
    digest: str | None  # of the prepared images' pixels
    raw_digest: str | None  # of the raw data that was read

    @property
    def headline_scores(self) -> list[Score]:
        """What the headline table shows, highest mean first."""
        return [row.score for row in self.rows]

    @property
    def second_name(self) -> str:
        """The model with the second highest mean, empty where there is none."""
        names = self._names("model")
        return names[1] if len(names) > 1 else ""

    @property
    def baseline_name(self) -> str:
        """The baseline with the highest mean, empty where there is none."""
        return (self._names("baseline") or [""])[0]

    @property
    def has_outlier(self) -> bool:
        """Whether a score lies below the axis."""
        return any(score.mean is not None and not self.axis.holds(score.mean) for score in self.headline_scores)

    @property
    def standing(self) -> Standing | None:
        """How often the leader came first."""
        return next((row.standing for row in self.rows if row.is_leader), None)

    @property
    def human(self) -> Score | None:
        """The human ceiling, None where no second annotator drew the same images."""
        return next((row.score for row in self.rows if row.score.kind == "human" and row.score.mean is not None), None)

    @property
    def published(self) -> list[Score]:
        """Scores that others printed, of other images."""
        return [row.score for row in self.rows if row.score.kind == PUBLISHED]

    def _names(self, kind: str) -> list[str]:
        return [row.score.architecture for row in self.rows if row.score.kind == kind and row.score.mean is not None]


def section(
    description: Description,
    scores: Sequence[Score],
    differences: Sequence[Difference],
    headline: tuple[str, str],
    *,
    place: int = 0,
    standings: Sequence[Standing] = (),
    costs: Sequence[Cost] = (),
    lower_is_better: Collection[str] = (),
    findings: Sequence[Mapping[str, str]] = (),
    warnings: Sequence[str] = (),
    diverged: Mapping[str, str] = MappingProxyType({}),
    skipped_steps: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    pictures: Mapping[str, Path] = MappingProxyType({}),
    picture_bytes: int = 500_000,
    digest: str | None = None,
    raw_digest: str | None = None,
) -> Section:
    """Gather what is said of one dataset, the one at `place` on the page.

    `headline` is (metric, class); `differences` and `standings` are of that metric and class; `lower_is_better` names
    metrics. `diverged` and `skipped_steps` are as in `notices`. `pictures` are example figures by architecture, of
    which that of the leader is embedded.
    """
    chosen = [one for one in scores if (one.metric, one.class_name) == headline]
    verdict = judge(chosen, differences)
    anchor = f"hl-{place}"
    rows = tuple(
        _row(score, f"{anchor}-{line}", verdict, differences, standings) for line, score in enumerate(ranked(chosen))
    )
    shown = pictures.get(verdict.leader.architecture) if verdict.leader else None
    said_above = [one for one in findings if one["message"] in description.warnings or one["kind"] in OF_FINDINGS]
    found = notices(
        description,
        scores,
        headline,
        diverged=diverged,
        steps=skipped_steps,
        findings=findings,
        has_picture=shown is not None,
    )
    return Section(
        description=description,
        anchor=anchor,
        verdict=verdict,
        rows=rows,
        axis=shared_axis(chosen),
        table=score_table(scores, headline[0], lower_is_better),
        findings=tuple(sorted((one for one in findings if one not in said_above), key=_gravity)),
        warnings=(*description.warnings, *warnings),
        notices=tuple(found),
        costs=tuple(sorted(costs, key=lambda one: KINDS.index(one.kind))),
        weakest=weakest_class(scores, verdict.leader, description.classes),
        picture=picture(shown, picture_bytes) if shown else None,
        digest=digest,
        raw_digest=raw_digest,
    )


def shared_axis(scores: Sequence[Score]) -> ForestAxis:
    """An axis for all scores but the worse baselines: everything background is so low that the rest would be a dot."""
    baselines = [one for one in ranked(scores) if one.kind == BASELINE]
    shown = [one for one in scores if one not in baselines[1:]]
    return forest_axis([value for one in shown for value in (one.mean, one.low, one.high) if value is not None])


def score_table(scores: Sequence[Score], headline_metric: str, lower_is_better: Collection[str] = ()) -> Table:
    """Lay scores out with models first, then baselines, metrics and classes in the order in which they come.

    Single classes are shown of the headline metric alone: with dozens of metrics the page would drown in them.
    """
    order = sorted({(KINDS.index(one.kind), one.architecture) for one in scores})
    architectures = tuple(name for _, name in order)
    cells = {(one.metric, one.class_name, one.architecture): one for one in scores}
    lines = dict.fromkeys((one.metric, one.class_name) for one in scores)
    rows = tuple(
        TableRow(
            metric, name, metric in lower_is_better, tuple(cells.get((metric, name, each)) for each in architectures)
        )
        for metric, name in lines
        if metric == headline_metric or name in SHOWN_CLASSES
    )
    metrics = dict.fromkeys(one.metric for one in scores)
    definitions = tuple((name, shared_definition(one for one in scores if one.metric == name)) for name in metrics)
    return Table(architectures, rows, definitions)


def shared_definition(scores: Iterable[Score]) -> str:
    """What the definitions of one metric have in common for all classes, clause by clause; "; " parts clauses.

    A published score is left out where others are, as it has a definition and a source of its own.
    """
    all_scores = list(scores)
    ours = [one for one in all_scores if one.kind != PUBLISHED] or all_scores
    first, *others = (one.definition.rstrip(".").split("; ") for one in ours)
    return "; ".join(clause for clause in first if all(clause in other for other in others)) + "."


def weakest_class(scores: Sequence[Score], leader: Score | None, classes: Sequence[str]) -> Score | None:
    """The class but background on which the leader has its lowest mean; None where there are fewer than two."""
    found = [
        one
        for one in scores
        if leader is not None
        and (one.architecture, one.kind, one.metric) == (leader.architecture, leader.kind, leader.metric)
        and one.class_name in classes[1:]
        and one.mean is not None
    ]
    return min(found, key=lambda one: one.mean) if len(found) > 1 else None


def _row(
    score: Score, anchor: str, verdict: Verdict, differences: Sequence[Difference], standings: Sequence[Standing]
) -> Row:
    leader = verdict.leader
    is_leader = leader is not None and score == leader
    to_leader = None if leader is None or is_leader else between(leader.architecture, score.architecture, differences)
    standing = next((one for one in standings if one.architecture == score.architecture), None)
    return Row(score, to_leader, is_leader, standing, anchor)


def _gravity(finding: Mapping[str, str]) -> int:
    return SEVERITIES.index(finding["severity"])
