"""Why jobs would run: what changed since they last did, in the words of the config, and what only follows from that."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from histoloom.study.config_words import NOTHING, changes, differences
from histoloom.study.planned import PlannedJob

# In the order in which causes are told; a recorded value is one that nothing but the record of the config hangs on.
KINDS = ("interrupted", "config", "data", "code", "input", "environment", "gone", "never run", "recorded")
# Params of rules that are digests: what they are digests of.
DIGESTS = {
    "code": ("code", "code of {script} or of what it imports changed"),
    "raw_data": ("data", "raw data of {dataset} changed"),
    "content": ("data", "the file of slide {slide} changed"),
    "training": ("input", "the kept round was trained anew"),
}
RECORDED = "values"  # the param that holds the whole config, as JSON
MOST_FILES = 2  # that are named; the rest is counted


@dataclass(frozen=True)
class Cause:
    """One reason of its own, of one of KINDS, that a job would run."""

    kind: str
    text: str


@dataclass(frozen=True)
class Explanation:
    """Why a run would do what: causes with the jobs that each concerns, and jobs that only follow."""

    causes: tuple[tuple[Cause, tuple[PlannedJob, ...]], ...]
    following: tuple[PlannedJob, ...]
    jobs: tuple[PlannedJob, ...]


def explain(jobs: Sequence[PlannedJob], config: Mapping[str, Any]) -> Explanation:
    """Find the causes of planned jobs, those of one text together; `config` is the resolved one of the coming run."""
    found: dict[Cause, list[PlannedJob]] = {}
    for job in jobs:
        for cause in dict.fromkeys(own_causes(job, config)):
            found.setdefault(cause, []).append(job)
    _drop_repeated(found)
    ordered = sorted(found.items(), key=lambda item: KINDS.index(item[0].kind))  # else as the jobs come
    caused = {id(job) for those in found.values() for job in those}
    following = tuple(job for job in jobs if id(job) not in caused)
    return Explanation(tuple((cause, tuple(those)) for cause, those in ordered), following, tuple(jobs))


def own_causes(job: PlannedJob, config: Mapping[str, Any]) -> list[Cause]:
    """Reasons of its own that a job would run; none for one that runs only since others do."""
    if job.is_interrupted:
        return [Cause("interrupted", "broken off before it was done")]
    if job.record is None:
        return [Cause("never run", "never run")] if job.missing else []
    causes = [Cause("gone", "files that were made are gone")] if job.gone else []
    causes += [*_changed_params(job, config), *(Cause("input", f"{file} changed since") for file in job.newer)]
    if job.is_command_changed:
        causes.append(Cause("code", f"the command of rule {job.rule} changed (workflow/rules/{job.rule_file})"))
    elif not job.is_undecided:  # another command reads and makes other files, and so may a checkpoint have it
        causes += _changed_files(job)
    if job.is_environment_changed:
        causes.append(Cause("environment", "the software environment of the rules changed"))
    return causes


def _changed_params(job: PlannedJob, config: Mapping[str, Any]) -> Iterator[Cause]:
    known = {"script": job.script, "dataset": "", "slide": "", **job.wildcards}
    before = [value for value in job.record.params if value not in job.params.values()]
    for name, value in job.params.items():
        if value in job.record.params:
            continue
        if name in DIGESTS:
            kind, text = DIGESTS[name]
            yield Cause(kind, text.format_map(known))
        elif isinstance(value, list):
            old = next((words for words in before if isinstance(words, list)), [])
            found = changes(old, value, (job.rule, job.stage), job.wildcards, config)
            yield from (Cause("config", str(change)) for change in found)
        elif name == RECORDED:
            yield from _changed_record(value, before)
        elif not job.is_command_changed:  # another command may have other params
            yield Cause("config", f"{name} of rule {job.rule}: now {value}")


def _changed_record(now: str, before: Sequence[Any]) -> Iterator[Cause]:
    old = next((json.loads(text) for text in before if isinstance(text, str) and text.startswith("{")), {})
    for change in differences(old, json.loads(now)):
        if not change.key.startswith("raw_data"):  # told of the rule that reads it
            yield Cause("recorded", str(change))


def _changed_files(job: PlannedJob) -> Iterator[Cause]:
    now, before = job.inputs, job.record.inputs
    for files, verb in ((now - before, "reads"), (before - now, "no longer reads")):
        if files:
            yield Cause("input", f"{job.rule} {verb} {_patterns(files, job.wildcards)}")
    if new := set(job.missing) - set(job.gone):
        yield Cause("input", f"{job.rule} makes {_patterns(new, job.wildcards)}, which it did not before")


def _patterns(files: set[str] | frozenset[str], wildcards: Mapping[str, str]) -> str:
    """Files with their wildcards' names in place of the values, so that jobs of one rule are told together."""
    parts = {value: f"<{name}>" for name, value in wildcards.items() if name != "fold"}
    found = sorted(
        {re.sub(r"\bfold\d+", "fold<k>", "/".join(parts.get(p, p) for p in file.split("/"))) for file in files}
    )
    more = f" and {len(found) - MOST_FILES} more" if len(found) > MOST_FILES else ""
    return ", ".join(found[:MOST_FILES]) + more


def _drop_repeated(found: dict[Cause, list[PlannedJob]]) -> None:
    """Leave out of what changed in the recorded config what the flags of other jobs told already."""
    told = [cause.text for cause in found if cause.kind == "config"]
    # What a dataset states newly was not set there, where its jobs had the section's value.
    told += [re.sub(": .* -> ", f": {NOTHING} -> ", text) for text in told]
    for cause in [cause for cause in found if cause.kind == "recorded"]:
        # A dataset's own sections are recorded complete, so a section's change stands there once more.
        if any(f".{cause.text}".endswith(f".{text}") for text in told):
            del found[cause]
