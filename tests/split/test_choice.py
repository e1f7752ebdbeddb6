"""The few windows that stand for many are spread over all, and show foreground where there is some."""

import numpy as np

from histoloom.split.choice import spread_choice


def masks_of(*foreground, background=0):
    """Masks of 4 x 5 pixels, the first so many of which are of class 2."""
    return [np.where(np.arange(20) < pixels, 2, background).astype(np.uint8).reshape(4, 5) for pixels in foreground]


def test_of_each_run_the_most_foreground_is_taken_and_of_equals_the_first():
    assert spread_choice(masks_of(0, 10, 2, 2, 0, 0, 0, 18), 4) == [1, 2, 4, 7]
    assert spread_choice(masks_of(0, 4), 4) == [0, 1]


def test_what_nobody_annotated_is_no_foreground():
    assert spread_choice([*masks_of(0, background=255), *masks_of(1)], 1) == [1]


def test_a_sliver_at_the_border_has_no_advantage():
    sliver = np.ones((1, 5), np.uint8)  # all foreground, but five pixels
    assert spread_choice([sliver, *masks_of(6)], 1) == [1]
