"""Schedules: equal to torch's where it has them, to the published formula by hand, and each a pure function."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.study.plugin_source import option_complaint
from histoloom.train.course import Course

SCHEDULES = plugins.names("schedules")
NAN = math.nan


def factors(name, course=None, steps=60, **options):
    """The factor of each step of one epoch, or of `course`'s epochs."""
    course = course or Course(0, steps, 1)
    schedule = plugins.load("schedules", name)
    return [schedule(Course(step, course.steps_per_epoch, course.epochs), **options) for step in range(course.steps)]


def rates_of(build, steps, rate=1.0, scores=None):
    """Rates of the first steps under a scheduler of torch; given `scores`, it steps with one of them each time."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler, rates = build(optimiser), []
    for step in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step(*([] if scores is None else [scores[step]]))
    return rates


def close(values):
    return pytest.approx(values, rel=1e-9, abs=1e-12)


def test_without_options_constant_changes_nothing():
    assert factors("constant", steps=5) == [1.0] * 5


@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_cosine_is_the_one_of_torch(floor):
    expected = rates_of(lambda own: lr_scheduler.CosineAnnealingLR(own, 60, eta_min=floor), 60)
    assert factors("cosine", floor=floor) == close(expected)


@pytest.mark.parametrize("power", [0.9, 2, 1.0])
def test_poly_is_the_one_of_torch(power):
    expected = rates_of(lambda own: lr_scheduler.PolynomialLR(own, 60, power), 60)
    assert factors("poly", power=power) == close(expected)


@pytest.mark.parametrize(
    ("rising", "start", "end"), [(0.3, 25.0, 1e4), (0.5, 10.0, 7.0), (0.9, 4.0, 1.0), (0.0, 5.0, 5.0)]
)
@pytest.mark.parametrize("steps", [10, 61])
def test_one_cycle_is_the_one_of_torch(rising, start, end, steps):
    def build(own):
        return lr_scheduler.OneCycleLR(own, 1.0, steps, None, None, rising, "cos", False, 0.85, 0.95, start, end)

    expected = rates_of(build, steps)
    found = factors("one_cycle", steps=steps, rising=rising, start_divisor=start, end_divisor=end)
    assert found == close(expected)


def test_one_cycle_may_rise_to_the_end():
    # Half a cosine from 1/2 to 1 in four steps.
    quarter = math.cos(math.pi / 4)
    expected = [0.5, 0.75 - 0.25 * quarter, 0.75, 0.75 + 0.25 * quarter, 1.0]
    assert factors("one_cycle", steps=5, rising=1.0, start_divisor=2) == close(expected)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("rising", [0.0, 0.25, 0.5, 1.0])
def test_one_cycle_has_a_rate_however_short_the_training(steps, rising):
    found = factors("one_cycle", steps=steps, rising=rising)
    assert all(0 < factor <= 1 for factor in found)


SCORES = {
    "rising": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
    "flat": [0.5] * 12,
    "undefined": [0.5, NAN, NAN, NAN, 0.6, NAN, NAN, 0.7, 0.7, 0.7],
    "all undefined": [NAN] * 10,
    "within the threshold": [0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.62, 0.64],
    "with relapses": [0.3, 0.5, 0.2, 0.5, 0.5, 0.6, 0.1, 0.1, 0.1, 0.1, 0.7, 0.2, 0.2],
    "zero at first": [0.0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1],
}


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
@pytest.mark.parametrize("options", [{"patience": 0}, {"patience": 2}, {"patience": 1, "threshold": 0.1, "floor": 0.1}])
def test_plateau_is_the_one_of_torch(scores, options):
    floor = options.get("floor", 0.0)
    values = {key: value for key, value in options.items() if key != "floor"}
    expected = rates_of(
        lambda own: lr_scheduler.ReduceLROnPlateau(own, "max", 0.3, min_lr=floor, eps=0.0, **values),
        len(scores),
        scores=scores,
    )
    schedule = plugins.load("schedules", "plateau")
    found = [
        schedule(Course(4 * epoch + 2, 4, len(scores), tuple(scores[:epoch])), factor=0.3, **options)
        for epoch in range(len(scores))
    ]
    assert found == close(expected)


def test_a_plateau_of_undefined_scores_is_no_improvement():
    # Patience 1: the first lower rate comes after the second epoch in a row without a better score.
    schedule = plugins.load("schedules", "plateau")
    found = [schedule(Course(0, 1, 9, (0.5, *[NAN] * count)), factor=0.5, patience=1) for count in range(5)]
    assert found == [1.0, 1.0, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("multiplier", [1, 2, 3])
@pytest.mark.parametrize("minimum", [0.0, 0.01])
def test_restarts_without_warm_up_are_the_ones_of_torch(multiplier, minimum):
    # Cycles of 2 epochs of 5 steps: 10, then 10 and 10, or 20 and 40, or 30 and 90.
    expected = rates_of(lambda own: lr_scheduler.CosineAnnealingWarmRestarts(own, 10, multiplier, eta_min=minimum), 150)
    options = {"first_cycle_epochs": 2, "cycle_multiplier": multiplier, "minimum": minimum}
    assert factors("cosine_restarts", Course(0, 5, 30), **options) == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_restarts_with_warm_up_and_decay_have_the_published_values():
    # By hand: max_lr 1, min_lr 0.1, first_cycle_steps 8, warmup_steps 2, cycle_mult 2, gamma 0.5.
    # Cycle 0: 8 steps, height 1.    rise 0.1, 0.55; fall 0.1 + 0.9 * (1 + cos(pi k / 6)) / 2, k = 0..5
    # Cycle 1: int(6 * 2) + 2 = 14 steps, from step 8, maximum 0.5:  rise 0.1, 0.3; fall over 12 steps
    # Cycle 2: int(12 * 2) + 2 = 26 steps, from step 22, maximum 0.25: rise 0.1, 0.175; fall over 24 steps
    third = math.sqrt(3) / 2  # cos(pi / 6)
    by_hand = {
        0: 0.1,
        1: 0.55,
        2: 1.0,
        3: 0.1 + 0.45 * (1 + third),
        4: 0.1 + 0.45 * 1.5,
        5: 0.55,
        6: 0.1 + 0.45 * 0.5,
        7: 0.1 + 0.45 * (1 - third),
        8: 0.1,
        9: 0.3,
        10: 0.5,
        12: 0.1 + 0.2 * (1 + third),
        14: 0.1 + 0.2 * 1.5,
        16: 0.3,
        20: 0.1 + 0.2 * (1 - third),
        22: 0.1,
        23: 0.175,
        24: 0.25,
        36: 0.175,
        44: 0.1 + 0.075 * (1 - third),
        48: 0.1,
    }
    options = {"first_cycle_epochs": 2, "cycle_multiplier": 2.0, "warm_up_steps": 2, "minimum": 0.1, "decay": 0.5}
    found = factors("cosine_restarts", Course(0, 4, 13), **options)
    assert {step: found[step] for step in by_hand} == close(by_hand)


def test_a_cycle_grows_by_whole_steps():
    # int((5 - 1) * 1.4) + 1 = 6 steps from step 5, int(5 * 1.4) + 1 = 8 from step 11, int(7 * 1.4) + 1 = 10 from 19.
    options = {"first_cycle_epochs": 1, "cycle_multiplier": 1.4, "warm_up_steps": 1}
    found = factors("cosine_restarts", Course(0, 5, 6), **options)
    assert [step for step, factor in enumerate(found) if factor == 0.0] == [0, 5, 11, 19, 29]
    assert [step for step, factor in enumerate(found) if factor == 1.0] == [1, 6, 12, 20]


def test_a_maximum_that_decayed_below_the_minimum_stays_at_it():
    found = factors("cosine_restarts", Course(0, 2, 8), first_cycle_epochs=1, minimum=0.2, decay=0.5)
    # Maxima 1, 0.5, 0.25, then 0.125: less than 0.2. Half way down a cycle of 2 steps is the mean of both ends.
    assert found == close([1.0, 0.6, 0.5, 0.35, 0.25, 0.225] + [0.2] * 10)


WARMED = [name for name in SCHEDULES if "warm_up_steps" in plugins.options("schedules", name)]


@pytest.mark.parametrize("name", [name for name in WARMED if name != "cosine_restarts"])
def test_a_warm_up_is_the_linear_one_of_torch(name):
    expected = rates_of(lambda own: lr_scheduler.LinearLR(own, start_factor=1 / 5, total_iters=4), 4)
    assert factors(name, steps=20, warm_up_steps=4)[:5] == close([*expected, 1.0])


@pytest.mark.parametrize("name", ["constant", "cosine", "poly"])
def test_after_the_warm_up_the_course_is_that_of_the_steps_left(name):
    assert factors(name, steps=20, warm_up_steps=4)[4:] == close(factors(name, steps=16))


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_factor_is_a_share_and_hangs_on_the_course_alone(name):
    schedule = plugins.load("schedules", name)
    courses = [Course(step, 7, 25, tuple(0.5 for _ in range(step // 7))) for step in range(7 * 25)]
    forwards = [schedule(course) for course in courses]
    assert all(isinstance(factor, float) and 0 <= factor <= 1 for factor in forwards)
    assert max(forwards) == pytest.approx(1, abs=0.01)
    assert [schedule(course) for course in reversed(courses)] == forwards[::-1]


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_defaults_of_every_option_pass_the_check_of_the_config(name):
    function = plugins.load("schedules", name)
    for option, default in (function.__kwdefaults__ or {}).items():
        assert plugins.options("schedules", name)[option] == repr(default)
        assert option_complaint("schedules", name, option, default) == ""
        assert option_complaint("schedules", name, option, [default]) != ""


@pytest.mark.parametrize("name", WARMED)
@pytest.mark.parametrize("steps", [40, 4000, -1])
def test_a_warm_up_as_long_as_what_it_warms_up_is_refused(name, steps):
    message = rf"^train\.schedule_options: warm_up_steps={steps}; expected 0 to 39, .*; change it, or raise"
    with pytest.raises(InputError, match=message):
        plugins.load("schedules", name)(Course(0, 4, 10), warm_up_steps=steps)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("cosine", "floor", 1.5),
        ("cosine", "floor", NAN),
        ("poly", "power", 0),
        ("one_cycle", "rising", 30),
        ("one_cycle", "start_divisor", 0.0),
        ("one_cycle", "end_divisor", 0.5),
        ("plateau", "factor", 1.0),
        ("plateau", "patience", -1),
        ("plateau", "threshold", -0.1),
        ("plateau", "floor", 2),
        ("cosine_restarts", "first_cycle_epochs", 0),
        ("cosine_restarts", "cycle_multiplier", 0.5),
        ("cosine_restarts", "minimum", 1.1),
        ("cosine_restarts", "decay", 0),
        ("cosine_restarts", "decay", 1.2),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_at_the_first_step(name, option, value):
    with pytest.raises(InputError, match=rf"^train\.schedule_options: {option}={value}; expected .*; change it$"):
        plugins.load("schedules", name)(Course(0, 4, 10), **{option: value})
