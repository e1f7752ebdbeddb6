"""One cycle: the learning rate rises for a part of the training, then falls far below where it began."""

import math

from histoloom.train.course import Course
from histoloom.train.warm_up import require


def one_cycle(
    course: Course,
    *,
    rising: int | float = 0.3,
    start_divisor: int | float = 25.0,
    end_divisor: int | float = 10000.0,
) -> float:
    """Share of the maximum rate: 1/start_divisor up to 1 in the share `rising` of the steps, then down to the end.

    The last step has 1 / (start_divisor * end_divisor). Both ways along half a cosine; momentum stays as it is.
    Raises InputError for a share beyond 0 to 1 and for divisors below 1.
    Source: Smith & Topin 2018, "Super-convergence", in the form of torch.optim.lr_scheduler.OneCycleLR.
    """
    require(0 <= rising <= 1, "rising", rising, "0 to 1, a share of the steps")
    require(start_divisor >= 1, "start_divisor", start_divisor, "1 or more")
    require(end_divisor >= 1, "end_divisor", end_divisor, "1 or more")
    start, last, top = 1 / start_divisor, course.steps - 1, rising * course.steps - 1
    if top > 0 and course.step <= top:
        return _half_wave(start, 1.0, course.step / top)
    return _half_wave(1.0, start / end_divisor, (course.step - top) / (last - top) if last > top else 0.0)


def _half_wave(first: float, last: float, gone: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * gone)) / 2
