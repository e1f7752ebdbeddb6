"""Polynomial decay: the share of the steps that are left, to a power."""

from histoloom.train.course import Course
from histoloom.train.warm_up import require, warmed_up


def poly(course: Course, *, power: int | float = 0.9, warm_up_steps: int = 0) -> float:
    """(1 - share of the steps gone by) ** power, after an even rise in the first `warm_up_steps` steps.

    Raises InputError for a power that is not positive.
    Source: Chen et al. 2018, "DeepLab", section 4.1 (power 0.9).
    """
    require(power > 0, "power", power, "a positive number")
    return warmed_up(course, warm_up_steps, lambda gone: (1 - gone) ** power)
