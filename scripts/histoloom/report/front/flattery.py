"""By how much a split that leaks flatters: its scores beside those of the same images with groups kept whole."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from histoloom.report.front.front_page import Section
from histoloom.report.front.notices import LEAKS, Notice
from histoloom.report.front.verdict import MODEL


def with_flattery(sections: Sequence[Section]) -> list[Section]:
    """The sections, those that leak with a line for each honest one of the same images and the same truth.

    Same are the prepared images' pixels and the facts of the dataset, such as a radius. The difference has no
    interval: the models of the two were trained on other images.
    """
    return [replace(one, notices=(*_lines(one, sections), *one.notices)) if _leaks(one) else one for one in sections]


def _lines(leaking: Section, sections: Sequence[Section]) -> Iterator[Notice]:
    for other in sections:
        is_same = leaking.digest and leaking.digest == other.digest
        is_same = is_same and leaking.description.facts == other.description.facts
        if is_same and not _leaks(other) and (differences := list(_differences(leaking, other))):
            name = other.description.name
            yield Notice(LEAKS, f"Against {name}, the same images with groups kept whole: {'; '.join(differences)}.")


def _differences(leaking: Section, honest: Section) -> Iterator[str]:
    means = {score.architecture: score.mean for score in honest.headline_scores if score.kind == MODEL}
    for score in leaking.headline_scores:
        mean = means.get(score.architecture)
        if score.kind == MODEL and score.mean is not None and mean is not None:
            amount = f"{score.metric} {score.mean:.3f} here, {mean:.3f} there"
            yield f"{score.architecture} has {amount}, a difference of {score.mean - mean:+.3f}"


def _leaks(section: Section) -> bool:
    return any(notice.kind == LEAKS for notice in section.notices)
