"""An explanation of what would run, as short lines: causes and jobs that go together stand together."""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from histoloom.report.rendering import duration
from histoloom.study.planned import PlannedJob
from histoloom.study.reasons import Explanation

MOST_CAUSES = 12  # of the same jobs that are told; the rest is counted
MOST_LABELS = 4  # jobs of one rule that are named
MOST_RULES = 6  # that are told with what their jobs are about
WIDTH = 90  # characters of a line of counts
# Checkpoints, and what is known only when they have run.
DECIDED = {
    "choose_trial": "which values models are trained with, and whether anew",
    "judge_round": "whether another round follows, and which round's model is kept",
}


def told(explanation: Explanation) -> list[str]:
    """An explanation as lines: causes with their jobs first, then a count of what follows for each rule."""
    jobs = explanation.jobs
    if not jobs:
        return ["Nothing would run: all results are of this config, code and data."]
    deciding = _grouped((job for job in jobs if job.is_checkpoint), lambda job: DECIDED[job.rule])
    known = ", as far as is known now" if deciding else ""
    lines = [f"{_amount(len(jobs), 'job')} would run{known}{_time_of(jobs)}.", "", "Because"]
    for those, texts in _causes_by_jobs(explanation):
        lines += [f"  {text}" for text in texts[:MOST_CAUSES]]
        lines += [f"  and {len(texts) - MOST_CAUSES} more"] if len(texts) > MOST_CAUSES else []
        lines += [f"      {line}" for line in _jobs_by_rule(those)]
    if explanation.following:
        lines += ["", "And therefore", *(f"      {line}" for line in _rule_counts(explanation.following))]
    if deciding:
        lines += ["", "Known only when these have run; more jobs may follow, or fewer"]
    for text, those in deciding.items():
        lines += [f"  {text}", *(f"      {line}" for line in _jobs_by_rule(those))]
    return lines


def label(wildcards: Mapping[str, str]) -> str:
    """What a job is about, without its fold: "unet on demo_nuclei", "slide s1, unet on demo_nuclei"; may be empty.

    >>> label({"dataset": "demo", "architecture": "unet", "fold": "0"}), label({"dataset": "demo", "table": "summary"})
    ('unet on demo', 'demo, table summary')
    """
    known = dict(wildcards)
    model, dataset = known.pop("architecture", known.pop("baseline", "")), known.pop("dataset", "")
    known.pop("fold", None)
    slide = known.pop("slide", "")
    subject = f"slide {slide}" if slide else ""
    owner = " on ".join(filter(None, (model, dataset)))
    others = [f"{name} {value}" for name, value in known.items() if name != "study"]
    return ", ".join(filter(None, (subject, owner, *others)))


def _causes_by_jobs(explanation: Explanation) -> list[tuple[tuple[PlannedJob, ...], list[str]]]:
    groups: dict[tuple[int, ...], tuple[tuple[PlannedJob, ...], list[str]]] = {}
    for cause, those in explanation.causes:
        groups.setdefault(tuple(map(id, those)), (those, []))[1].append(cause.text)
    return list(groups.values())


def _jobs_by_rule(jobs: Sequence[PlannedJob]) -> Iterator[str]:
    rules = _grouped(jobs, lambda job: job.rule)
    if len(rules) > MOST_RULES:
        # Where many rules run for one cause, as in a new study, who they run for says little.
        yield from _rule_counts(jobs)
        return
    for rule, those in rules.items():
        count = f" ({len(those)} jobs)" if len(those) > 1 else ""
        yield f"{rule}{count}: {_subjects(those)}".removesuffix(": ")


def _rule_counts(jobs: Iterable[PlannedJob]) -> list[str]:
    counts = Counter(job.rule for job in jobs)
    # No line ends between a rule and its count.
    lines = textwrap.wrap(", ".join(f"{rule}\N{NO-BREAK SPACE}{count}" for rule, count in counts.items()), WIDTH)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _subjects(jobs: Sequence[PlannedJob]) -> str:
    named = [
        ", ".join(
            filter(None, (text, _folds({int(job.wildcards["fold"]) for job in those if "fold" in job.wildcards})))
        )
        for text, those in sorted(_grouped(jobs, lambda job: label(job.wildcards)).items())
    ]
    more = [f"and {len(named) - MOST_LABELS} more"] if len(named) > MOST_LABELS else []
    return "; ".join([*named[:MOST_LABELS], *more])


def _grouped(jobs: Iterable[PlannedJob], key: Callable[[PlannedJob], str]) -> dict[str, list[PlannedJob]]:
    groups: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        groups.setdefault(key(job), []).append(job)
    return groups


def _folds(numbers: Iterable[int]) -> str:
    folds = sorted(numbers)
    if len(folds) < 2:
        return f"fold {folds[0]}" if folds else ""
    is_run = len(folds) > 2 and folds == list(range(folds[0], folds[-1] + 1))
    return f"folds {folds[0]} to {folds[-1]}" if is_run else f"folds {', '.join(map(str, folds))}"


def _time_of(jobs: Sequence[PlannedJob]) -> str:
    seconds = [job.record.seconds for job in jobs if job.record]
    if not seconds:
        return ""
    first = len(jobs) - len(seconds)
    before = f"; {first} of them never ran" if first else ""
    return f"; when they last ran they took {duration(sum(seconds))}, one after the other{before}"


def _amount(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
