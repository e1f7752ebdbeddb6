"""Groups and strata of what was drawn on slides, and what the readers of such drawings warn of."""

from histoloom.grouping import group_of

REGION = "region"  # the word for group: each window or tile by itself
NO_BACKGROUND = (
    "nothing is annotated as background: class 0 has no pixels, since what nobody annotated is unknown and no "
    "background; map a class of tissue that is not sought to 'background' where a score is to count false alarms"
)
ONE_SLIDE = (
    "each window is its own group: windows of one slide are not independent, so scores are those of a pilot and say "
    "nothing about new slides; group by slide or patient as soon as there are several"
)


def group_and_stratum(slide: str, group: str, stratum: str) -> tuple[str, str]:
    """What the patterns find in the name of a slide; the group is "" where each window is its own, the stratum where
    there is no pattern.

    Raises InputError where a pattern finds nothing (see histoloom.grouping.group_of).
    """
    return "" if group == REGION else group_of(slide, group), group_of(slide, stratum) if stratum else ""


def cautions(note: str, group: str, *, has_background: bool) -> tuple[str, ...]:
    """The warnings of a dataset: the user's own note, no background, windows of one slide as groups."""
    found = (note, "" if has_background else NO_BACKGROUND, ONE_SLIDE if group == REGION else "")
    return tuple(filter(None, found))
