"""What is not as it should be: leaking, left out, fallen back, diverged or undefined, as lines of the front page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoloom.prepared import Description, read_table
from histoloom.report.front.verdict import BASELINE, MODEL, Score, ranked

ORDER = ("leaks", "tuned elsewhere", "diverged", "skipped", "fell back", "undefined")
LEAKS, TUNED, DIVERGED, SKIPPED, FELL_BACK, UNDEFINED = ORDER
# Kinds of findings that become a line.
OF_FINDINGS = {"not_normalised": FELL_BACK, "groups_parted": LEAKS, "tuned_once": TUNED}


@dataclass(frozen=True)
class Notice:
    """One line: of which kind, in a sentence, with lines that can be unfolded under it."""

    kind: str  # one of ORDER
    message: str
    details: tuple[str, ...] = ()


def notices(
    description: Description,
    scores: Sequence[Score],
    headline: tuple[str, str],
    *,
    diverged: Mapping[str, str],
    steps: Mapping[str, tuple[int, int]],
    findings: Sequence[Mapping[str, str]],
    has_picture: bool,
) -> list[Notice]:
    """All lines of one dataset, the gravest first.

    `diverged` are folds by architecture, with spaces between; `steps` how many steps of its training an architecture
    left out, and of how many; `findings` are rows of tables of findings.
    """
    found = [
        *_trainings(diverged, steps),
        *_files(description),
        *_told(findings),
        *_undefined(scores),
        *_uncounted([one for one in scores if (one.metric, one.class_name) == headline], _most_images(scores)),
    ]
    if not has_picture:
        found.append(Notice(SKIPPED, "Examples: no picture of the leading model was given."))
    return sorted(found, key=lambda one: ORDER.index(one.kind))


def skipped_steps(histories: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """Steps that training left out since loss or gradient was no number, and all steps, by architecture.

    A path ends in <architecture>/fold<k>/history.csv. Architectures that left none out are not named.
    """
    found: dict[str, tuple[int, int]] = {}
    for path in histories:
        rows = read_table(path)
        left_out, steps = found.get(path.parts[-3], (0, 0))
        left_out += sum(int(row["skipped_steps"]) for row in rows)
        found[path.parts[-3]] = (left_out, steps + sum(int(row["steps"]) for row in rows))
    return {name: counts for name, counts in found.items() if counts[0]}


def lost(scores: Iterable[Score]) -> str:
    """Name metrics and classes without repeating them: "sq and sq@pooled of a, b; pq of a"."""
    classes: dict[str, list[str]] = {}
    for one in scores:
        classes.setdefault(one.metric, []).append(one.class_name)
    metrics: dict[str, list[str]] = {}
    for metric, names in classes.items():
        metrics.setdefault(", ".join(names), []).append(metric)
    return "; ".join(f"{' and '.join(alike)} of {names}" for names, alike in metrics.items())


def _trainings(diverged: Mapping[str, str], steps: Mapping[str, tuple[int, int]]) -> Iterable[Notice]:
    for folds, names in _alike(diverged).items():
        listed = folds.split()
        where = f"fold{'s' if len(listed) > 1 else ''} {', '.join(listed)}"
        yield Notice(
            DIVERGED,
            f"{', '.join(names)}: training diverged on {where}, as loss or gradient became no number; scores there are "
            "of the weights before.",
        )
    for architecture, (left_out, all_steps) in steps.items():
        yield Notice(
            DIVERGED,
            f"{architecture}: training left out {left_out:,} of {all_steps:,} steps, in which loss or gradient was no "
            "number.",
        )


def _told(findings: Iterable[Mapping[str, str]]) -> Iterable[Notice]:
    for one in findings:
        if one["kind"] in OF_FINDINGS:
            yield Notice(OF_FINDINGS[one["kind"]], f"{one['subject']}: {one['message']}")


def _files(description: Description) -> Iterable[Notice]:
    if description.skipped:
        yield Notice(
            SKIPPED,
            f"For {description.skipped} problem{'s' if description.skipped > 1 else ''} raw files were left out of all "
            "that follows; the inspection page names them.",
        )
    if not description.has_instances:
        yield Notice(SKIPPED, "Scores of single nuclei: this dataset's truth does not tell one nucleus from the next.")


def _undefined(scores: Sequence[Score]) -> Iterable[Notice]:
    kinds = {one.architecture: one.kind for one in scores if one.kind in (MODEL, BASELINE)}
    without = {name: [one for one in scores if one.architecture == name and one.mean is None] for name in kinds}
    details = _alike({name: lost(found) for name, found in without.items() if found})
    if details:
        amounts = ", ".join(f"{len(found)} of {name}" for name, found in without.items() if found)
        yield Notice(
            UNDEFINED,
            f"Scores for which no image has what the definition needs: {amounts}.",
            tuple(f"{', '.join(names)}: {what}" for what, names in details.items()),
        )


def _uncounted(chosen: Sequence[Score], most: int) -> Iterable[Notice]:
    for one in ranked(chosen):
        if one.kind in (MODEL, BASELINE) and one.images < most:
            yield Notice(
                UNDEFINED,
                f"{most - one.images} of {most} images do not count in the headline mean of {one.architecture}: "
                "it is undefined there.",
            )


def _most_images(scores: Sequence[Score]) -> int:
    return max((one.images for one in scores if one.kind in (MODEL, BASELINE)), default=0)


def _alike(values: Mapping[str, str]) -> dict[str, list[str]]:
    """Names by the value that they share."""
    found: dict[str, list[str]] = {}
    for name, value in values.items():
        found.setdefault(value, []).append(name)
    return found
