"""Cosine annealing: one half wave from the maximum down to the end of the training."""

import math

from histoloom.train.course import Course
from histoloom.train.warm_up import require, warmed_up


def cosine(course: Course, *, warm_up_steps: int = 0, floor: int | float = 0.0) -> float:
    """Share of the maximum rate, from 1 to `floor` along half a cosine, after an even rise in `warm_up_steps` steps.

    `floor` would be reached one step after the last. Raises InputError for a floor beyond 0 to 1.
    Source: Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", equation 5, one cycle.
    """
    require(0 <= floor <= 1, "floor", floor, "0 to 1, a share of train.learning_rate")
    return warmed_up(course, warm_up_steps, lambda gone: floor + (1 - floor) * (1 + math.cos(math.pi * gone)) / 2)
