"""Plateau: the learning rate falls whenever the validation score has not risen for a while."""

import math

from histoloom.train.course import Course
from histoloom.train.warm_up import require, warmed_up


def plateau(
    course: Course,
    *,
    factor: int | float = 0.1,
    patience: int = 10,
    threshold: int | float = 0.0001,
    floor: int | float = 0.0,
    warm_up_steps: int = 0,
) -> float:
    """Share of the maximum rate: times `factor` whenever more than `patience` epochs in a row bring no better score.

    Better is more than (1 + threshold) times the best so far; NaN is not better. Never below `floor`. The first
    `warm_up_steps` steps rise evenly. The time that it takes grows with the finished epochs, 0.1 us each.
    Raises InputError for values that make no sense.
    Source: torch.optim.lr_scheduler.ReduceLROnPlateau with mode "max", to which it is equal.
    """
    require(0 < factor < 1, "factor", factor, "more than 0 and less than 1")
    require(patience >= 0, "patience", patience, "0 or more epochs")
    require(threshold >= 0, "threshold", threshold, "0 or more, a share of the best score")
    require(0 <= floor <= 1, "floor", floor, "0 to 1, a share of train.learning_rate")
    level, best, waited = 1.0, -math.inf, 0
    for score in course.scores:
        is_better = score > best * (1 + threshold)
        best, waited = (score, 0) if is_better else (best, waited + 1)
        if waited > patience:
            level, waited = max(level * factor, float(floor)), 0
    return warmed_up(course, warm_up_steps, lambda _: level)
