"""The first page of the report: which model is best, by how much, how sure, and where does it fail."""

import base64
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import jinja2
from PIL import Image

from histoloom.prepared import Description
from histoloom.report.forest import ForestAxis, forest_axis
from histoloom.report.verdict import Difference, Score, Verdict, between, judge, ranked

WIDTHS_PX = (1280, 1000, 800, 640)  # of an embedded picture, tried in turn until it is small enough
BASE64_LINE = 4000  # docutils refuses lines beyond 10,000 characters
SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Picture:
    """A picture inside the page: its data URI in lines, its text alternative and its size."""

    uri: str
    description: str
    width: int
    height: int


@dataclass(frozen=True)
class Row:
    """One model or baseline of the headline table; `to_leader` is the leader minus this one, None for itself."""

    score: Score
    to_leader: Difference | None
    is_leader: bool


@dataclass(frozen=True)
class Table:
    """All scores of one dataset: a row for each metric and class, a column for each architecture."""

    architectures: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Score | None, ...]], ...]
    definitions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Section:
    """What the page says of one dataset."""

    description: Description
    verdict: Verdict
    rows: tuple[Row, ...]
    axis: ForestAxis
    table: Table
    findings: tuple[Mapping[str, str], ...]
    warnings: tuple[str, ...]
    skipped: tuple[str, ...]
    picture: Picture | None
    digest: str | None  # of the prepared images' pixels
    raw_digest: str | None  # of the raw data that was read

    @property
    def second_name(self) -> str:
        """The model with the second highest mean, empty where there is none."""
        names = self._names("model")
        return names[1] if len(names) > 1 else ""

    @property
    def baseline_name(self) -> str:
        """The baseline with the highest mean, empty where there is none."""
        return (self._names("baseline") or [""])[0]

    def _names(self, kind: str) -> list[str]:
        return [row.score.architecture for row in self.rows if row.score.kind == kind and row.score.mean is not None]


def section(
    description: Description,
    scores: Sequence[Score],
    differences: Sequence[Difference],
    headline: tuple[str, str],
    *,
    findings: Sequence[Mapping[str, str]] = (),
    warnings: Sequence[str] = (),
    pictures: Mapping[str, Path] = MappingProxyType({}),
    picture_bytes: int = 500_000,
    digest: str | None = None,
    raw_digest: str | None = None,
) -> Section:
    """Gather what is said of one dataset; `headline` is (metric, class), `differences` are of that metric and class.

    `pictures` are example figures by architecture, of which that of the leader is embedded.
    """
    chosen = [one for one in scores if (one.metric, one.class_name) == headline]
    verdict = judge(chosen, differences)
    rows = tuple(_row(one, verdict, differences) for one in ranked(chosen))
    shown = pictures.get(verdict.leader.architecture) if verdict.leader else None
    unsaid = [one for one in findings if one["message"] not in description.warnings]  # those are above all tables
    ends = [value for one in chosen for value in (one.mean, one.low, one.high) if value is not None]
    return Section(
        description=description,
        verdict=verdict,
        rows=rows,
        axis=forest_axis(ends),
        table=score_table(scores),
        findings=tuple(sorted(unsaid, key=lambda one: SEVERITIES.index(one["severity"]))),
        warnings=(*description.warnings, *warnings),
        skipped=tuple(skipped(description, scores, chosen, has_picture=shown is not None)),
        picture=picture(shown, picture_bytes) if shown else None,
        digest=digest,
        raw_digest=raw_digest,
    )


def score_table(scores: Sequence[Score]) -> Table:
    """Lay scores out with models first, then baselines, metrics and classes in the order in which they come."""
    order = sorted({(one.kind != "model", one.architecture) for one in scores})
    architectures = tuple(name for _, name in order)
    cells = {(one.metric, one.class_name, one.architecture): one for one in scores}
    lines = dict.fromkeys((one.metric, one.class_name) for one in scores)
    rows = tuple((*line, tuple(cells.get((*line, name)) for name in architectures)) for line in lines)
    metrics = dict.fromkeys(one.metric for one in scores)
    definitions = tuple((name, shared_definition(one for one in scores if one.metric == name)) for name in metrics)
    return Table(architectures, rows, definitions)


def shared_definition(scores: Iterable[Score]) -> str:
    """What the definitions of one metric have in common for all classes, clause by clause; "; " parts clauses."""
    first, *others = (one.definition.rstrip(".").split("; ") for one in scores)
    return "; ".join(clause for clause in first if all(clause in other for other in others)) + "."


def skipped(
    description: Description, scores: Sequence[Score], chosen: Sequence[Score], *, has_picture: bool
) -> Iterable[str]:
    """Say what is not in the tables, and why."""
    if not chosen:
        yield "The headline metric: no row of the summary has it."
    for name in sorted({one.architecture for one in scores if one.mean is None}):
        lost = undefined(one for one in scores if one.architecture == name and one.mean is None)
        yield f"Undefined for {name}, as no image has what the definition needs: {lost}."
    most = max((one.images for one in scores), default=0)
    yield from (
        f"{most - one.images} of {most} images do not count in the headline mean of {one.architecture}: undefined."
        for one in ranked(chosen)
        if one.images < most
    )
    if not description.has_instances:
        yield "Scores of single nuclei: this dataset's truth does not tell one nucleus from the next."
    if not has_picture:
        yield "Examples: no picture of the leading model was given."


def undefined(scores: Iterable[Score]) -> str:
    """Name metrics and classes without repeating them: "sq and sq_pooled of a, b; pq of a"."""
    classes: dict[str, list[str]] = {}
    for one in scores:
        classes.setdefault(one.metric, []).append(one.class_name)
    metrics: dict[str, list[str]] = {}
    for metric, names in classes.items():
        metrics.setdefault(", ".join(names), []).append(metric)
    return "; ".join(f"{' and '.join(alike)} of {names}" for names, alike in metrics.items())


def picture(path: Path, largest_bytes: int) -> Picture:
    """Read a PNG and embed it as JPEG of at most `largest_bytes`, where one of four widths allows.

    Its text alternative is the PNG's own "Description".
    """
    with Image.open(path) as opened:
        description = str(opened.info.get("Description", path.stem))
        pixels = opened.convert("RGB")
    for width in WIDTHS_PX:
        share = min(1.0, width / pixels.width)
        size = (round(pixels.width * share), max(1, round(pixels.height * share)))
        buffer = io.BytesIO()
        pixels.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=82, optimize=True)
        if buffer.tell() <= largest_bytes:
            break
    code = base64.b64encode(buffer.getvalue()).decode()
    lines = [code[start : start + BASE64_LINE] for start in range(0, len(code), BASE64_LINE)]
    return Picture("data:image/jpeg;base64," + "\n".join(lines), description, *size)


def render(template: Path, **values: object) -> str:
    """Fill the page's template; every value is escaped unless the template says otherwise."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    return environment.get_template(template.name).render(**values)


def restructured(title: str, page: str) -> str:
    """Wrap HTML as the reStructuredText that Snakemake shows first in its report.

    Snakemake renders that text through jinja2 once more and puts it into a script: braces that would start an
    expression become entities, and the page may not end a script or open a comment.
    """
    assert "</script" not in page.lower() and "<!--" not in page
    safe = re.sub(r"\{(?=[{%#])", "&#123;", page)
    safe = "\n".join(map(broken, safe.split("\n")))
    heading = re.sub(r"([^\w\s]|_)", r"\\\1", " ".join(title.split()))
    return f"{heading}\n{'=' * max(4, 2 * len(heading))}\n\n.. raw:: html\n\n{textwrap.indent(safe, '   ')}\n"


def broken(line: str) -> str:
    """Break a line that docutils would refuse at spaces: in HTML, also in an attribute, a break is a space."""
    if len(line) <= BASE64_LINE:
        return line
    return re.sub(rf"(.{{{BASE64_LINE}}}\S*) ", r"\1\n", line)


def number(value: float | None, signed: bool = False) -> str:
    """A score as text: three decimals, a true minus sign, "undefined" for None."""
    if value is None:
        return "undefined"
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _row(score: Score, verdict: Verdict, differences: Sequence[Difference]) -> Row:
    leader = verdict.leader
    if leader is None or score.architecture == leader.architecture:
        return Row(score, None, leader is not None)
    return Row(score, between(leader.architecture, score.architecture, differences), False)
