"""Cosine annealing with warm-up restarts: cycles of an even rise and a half cosine, each perhaps longer and lower."""

import math

from histoloom.train.course import Course
from histoloom.train.warm_up import require


def cosine_restarts(
    course: Course,
    *,
    first_cycle_epochs: int = 10,
    cycle_multiplier: int | float = 1.0,
    warm_up_steps: int = 0,
    minimum: int | float = 0.0,
    decay: int | float = 1.0,
) -> float:
    """Share of the maximum rate: each cycle rises evenly from `minimum`, then falls back to it along half a cosine.

    The rise has `warm_up_steps` in every cycle, the fall int(cycle_multiplier * those of the cycle before) steps;
    cycle c, from 0, rises to decay ** c, or stays at `minimum` where that is lower. With a warm-up the first step of
    a cycle has the rate `minimum`, as published: with 0 nothing is learnt in it.
    Raises InputError for a warm-up as long as the first cycle, and for values that make no sense.

    Source: Naoki Katsura's CosineAnnealingWarmupRestarts (cosine_annealing_warmup: first_cycle_steps, cycle_mult,
    warmup_steps, min_lr / max_lr, gamma), after Loshchilov & Hutter 2017, "SGDR". It starts with step 0 of a cycle;
    Katsura's first step has min_lr without a warm-up too.
    """
    length = first_cycle_epochs * course.steps_per_epoch
    require(first_cycle_epochs >= 1, "first_cycle_epochs", first_cycle_epochs, "1 epoch or more")
    require(cycle_multiplier >= 1, "cycle_multiplier", cycle_multiplier, "1 or more")
    require(0 <= minimum <= 1, "minimum", minimum, "0 to 1, a share of train.learning_rate")
    require(0 < decay <= 1, "decay", decay, "more than 0 and at most 1")
    expected = f"0 to {length - 1}, since the first cycle has {length} steps"
    cure = "change it, or raise first_cycle_epochs"
    require(0 <= warm_up_steps < length, "warm_up_steps", warm_up_steps, expected, cure)
    cycle, place, falling = _place(course.step, length - warm_up_steps, cycle_multiplier, warm_up_steps)
    height = max(decay**cycle - minimum, 0)
    if place < warm_up_steps:
        return minimum + height * place / warm_up_steps
    return minimum + height * (1 + math.cos(math.pi * (place - warm_up_steps) / falling)) / 2


def _place(step: int, falling: int, multiplier: int | float, rising: int) -> tuple[int, int, int]:
    """Number of the cycle, steps gone by in it, and steps of its falling part."""
    cycle = 0
    while step >= rising + falling:  # a turn for each finished cycle: no more than there are epochs
        step, falling, cycle = step - rising - falling, int(falling * multiplier), cycle + 1
    return cycle, step, falling
