"""Constant: the learning rate stays as it is."""

from histoloom.train.course import Course
from histoloom.train.warm_up import warmed_up


def constant(course: Course, *, warm_up_steps: int = 0) -> float:
    """1 at every step, after an even rise in the first `warm_up_steps` steps."""
    return warmed_up(course, warm_up_steps, lambda _: 1.0)
