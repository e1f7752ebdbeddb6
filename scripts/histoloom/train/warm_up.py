"""The warm-up that schedules of the learning rate share, and the message of an option that makes no sense."""

from collections.abc import Callable

from histoloom.errors import InputError
from histoloom.train.course import Course


def warmed_up(course: Course, warm_up_steps: int, after: Callable[[float], float]) -> float:
    """A factor that rises evenly to 1 for `warm_up_steps` steps and is then `after` of the share of the rest gone by.

    The first step has 1 / (warm_up_steps + 1), so that no step is lost; step `warm_up_steps` is the first of `after`.
    Raises InputError for a warm-up that is as long as the training.
    Source: Goyal et al. 2017, "Accurate, large minibatch SGD: training ImageNet in 1 hour" (gradual warm-up).
    """
    require(
        0 <= warm_up_steps < course.steps,
        "warm_up_steps",
        warm_up_steps,
        f"0 to {course.steps - 1}, since the training has {course.steps} steps",
        "change it, or raise train.epochs",
    )
    if course.step < warm_up_steps:
        return (course.step + 1) / (warm_up_steps + 1)
    return after((course.step - warm_up_steps) / (course.steps - warm_up_steps))


def require(is_met: bool, option: str, value: int | float, expected: str, cure: str = "change it") -> None:
    """Raise InputError on an option of the schedule where what it has to fulfil is not met."""
    if not is_met:
        raise InputError(f"train.schedule_options: {option}={value}; expected {expected}; {cure}")
