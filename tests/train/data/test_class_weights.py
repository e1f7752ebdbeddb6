"""Class weights: their means, the published formula, and classes that never come up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.train.data.class_weights import class_weights

COUNTS = st.lists(st.integers(0, 10**10), min_size=1, max_size=8).filter(any).map(np.array)
BY_COUNT = ["inverse_frequency", "effective_number", "effective_number:0.9999", "effective_number:0.999999999"]


def test_none_weighs_all_classes_alike():
    assert class_weights(["none"], np.array([5, 0])).tolist() == [1.0, 1.0]


def test_inverse_frequency_gives_each_class_an_equal_part():
    # 60, 30 and 10 of 100 pixels: 100 / 3 / 60 = 5/9, 10/9, 10/3; each class's pixels weigh 100/3 together.
    assert class_weights(["inverse_frequency"], np.array([60, 30, 10])) == pytest.approx([5 / 9, 10 / 9, 10 / 3])


def test_effective_number_is_that_of_the_paper():
    # beta 0.5: effective numbers 1, 1.5 and 1.75 of 1, 2 and 3 pixels; weights in proportion to 1 / these,
    # and the mean over the 6 pixels is 1: k * (1/1 + 2/1.5 + 3/1.75) = 6.
    k = 6 / (1 + 4 / 3 + 12 / 7)
    assert class_weights(["effective_number:0.5"], np.array([1, 2, 3])) == pytest.approx([k, k / 1.5, k / 1.75])


def test_effective_number_takes_the_mean_class_as_the_number_of_different_pixels():
    # 8 + 2 pixels of two classes: N = 5, beta = 0.8.
    ratio = (1 - 0.8**8) / (1 - 0.8**2)
    weights = class_weights(["effective_number"], np.array([8, 0, 2]))
    assert weights[2] / weights[0] == pytest.approx(ratio)
    assert weights[1] == 0


def test_effective_number_lies_between_even_and_inverse_frequency_at_any_size():
    for size in (1, 10**4, 10**8):
        pixels = np.array([90, 10]) * size
        soft, hard = (np.divide(*class_weights([word], pixels)[::-1]) for word in ("effective_number", BY_COUNT[0]))
        assert hard == pytest.approx(9)
        assert 3 < soft < 6  # (1 - e^-1.8) / (1 - e^-0.2) = 4.6 for many pixels


def test_a_beta_near_one_is_inverse_frequency_and_a_small_one_is_even():
    pixels = np.array([900, 100, 0])
    assert class_weights(["effective_number:0.9999999999"], pixels) == pytest.approx(
        class_weights(["inverse_frequency"], pixels), rel=1e-6
    )
    assert class_weights(["effective_number:0.001"], pixels) == pytest.approx([1, 1, 0])


@given(pixels=COUNTS, word=st.sampled_from(BY_COUNT))
def test_the_mean_over_the_training_pixels_is_one_and_absent_classes_have_none(pixels, word):
    weights = class_weights([word], pixels)
    assert np.isfinite(weights).all()
    assert (weights * pixels).sum() / pixels.sum() == pytest.approx(1)
    assert np.array_equal(weights > 0, pixels > 0)
    order = np.argsort(pixels[pixels > 0])
    assert (np.diff(weights[pixels > 0][order]) <= 1e-9).all()  # the rarer, the heavier


def test_given_numbers_are_taken_as_they_are():
    assert class_weights(["0.5", "3", "0"], np.array([1, 1, 0])).tolist() == [0.5, 3.0, 0.0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["1", "2"], "1 2: 2 numbers; expected 3, one for each class"),
        (["1", "-2", "1"], "1 -2 1; expected finite numbers of 0 or more"),
        (["1", "inf", "1"], "expected finite numbers of 0 or more"),
        (["0", "0", "0.0"], "and not all 0; change them"),
        (["inverse_frequenc"], "inverse_frequenc; expected one word, .*did you mean 'inverse_frequency'"),
        (["none:0.5"], "none:0.5; expected one word"),
        (["inverse_frequency:2"], "expected one word"),
        (["effective_number:1"], "effective_number:1; expected a number between 0 and 1; write"),
        (["effective_number:x"], "effective_number:x; expected a number between 0 and 1"),
        (["effective_number:"], "effective_number:; expected a number between 0 and 1"),
        ([], "0 numbers; expected 3"),
    ],
)
def test_weights_that_make_no_sense_are_refused(words, message):
    with pytest.raises(InputError, match=rf"^train\.class_weights: .*{message}"):
        class_weights(words, np.array([5, 3, 2]))


@pytest.mark.parametrize("word", BY_COUNT)
def test_no_pixel_at_all_is_refused(word):
    with pytest.raises(InputError, match=r"^train\.class_weights: .* of no annotated pixel; expected some"):
        class_weights([word], np.zeros(3, int))
