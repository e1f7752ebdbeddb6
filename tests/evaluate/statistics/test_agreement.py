"""Agreement over images: by hand, against a published table and scikit-learn, and what weights and gaps do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import r2_score

from histoloom.evaluate.statistics.agreement import bias, concordance, lower_limit, r2, upper_limit

NAN = np.nan
FUNCTIONS = (r2, concordance, bias, lower_limit, upper_limit)
TRUTH, PREDICTED = np.array([1.0, 2, 3, 6]), np.array([2.0, 2, 4, 8])
# Peak expiratory flow in l/min by two meters, first readings: Bland and Altman, Lancet 1986, table 1.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def value(function, truth, predicted, weights=None):
    truth, predicted = np.array(truth, np.float64), np.array(predicted, np.float64)
    weights = np.ones(len(truth)) if weights is None else np.array(weights, np.float64)
    return function(truth, predicted, weights[None]).item()


def numbers(images=6):
    return arrays(np.float64, images, elements=st.integers(-100, 100).map(float))


def test_values_by_hand():
    # Truth has mean 3 and squares 4 + 1 + 0 + 9 about it; the differences are 1, 0, 1 and 2.
    assert value(r2, TRUTH, PREDICTED) == pytest.approx(1 - 6 / 14)
    # The prediction has mean 4 and squares 4 + 4 + 0 + 16, the products are 4 + 2 + 0 + 12.
    assert value(concordance, TRUTH, PREDICTED) == pytest.approx(2 * 18 / 4 / (14 / 4 + 24 / 4 + 1))
    assert value(bias, TRUTH, PREDICTED) == pytest.approx(1)
    sd = np.sqrt((0 + 1 + 0 + 1) / 3)
    assert value(lower_limit, TRUTH, PREDICTED) == pytest.approx(1 - 1.96 * sd)
    assert value(upper_limit, TRUTH, PREDICTED) == pytest.approx(1 + 1.96 * sd)


def test_the_meters_of_bland_and_altman_agree_as_in_their_paper():
    assert value(bias, MINI, WRIGHT) == pytest.approx(-2.1, abs=0.05)
    width = value(upper_limit, MINI, WRIGHT) - value(lower_limit, MINI, WRIGHT)
    assert width / 2 / 1.96 == pytest.approx(38.8, abs=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_r2_agrees_with_scikit_learn_and_concordance_with_the_correlation_times_its_accuracy(seed):
    rng = np.random.default_rng(seed)
    truth, weights = rng.normal(50, 10, 40), rng.integers(0, 4, 40).astype(np.float64)
    predicted = 0.7 * truth + rng.normal(5, 4, 40)
    assert value(r2, truth, predicted, weights) == pytest.approx(r2_score(truth, predicted, sample_weight=weights))
    # Lin 1989: concordance = correlation * 2 / (v + 1 / v + u²), v and u the differences in scale and in location.
    scale = truth.std() / predicted.std()
    shift = (truth.mean() - predicted.mean()) / np.sqrt(truth.std() * predicted.std())
    accuracy = 2 / (scale + 1 / scale + shift**2)
    assert value(concordance, truth, predicted) == pytest.approx(stats.pearsonr(truth, predicted)[0] * accuracy)


@pytest.mark.parametrize("function", FUNCTIONS)
@given(numbers(), numbers(), arrays(np.int64, 6, elements=st.integers(0, 3)))
@settings(deadline=None, max_examples=30)
def test_a_weight_is_how_often_an_image_was_drawn(function, truth, predicted, times):
    drawn = [np.repeat(each, times) for each in (truth, predicted)]
    if np.count_nonzero(times) < 2:
        assert np.isnan(value(function, truth, predicted, times))
    else:
        expected = value(function, *drawn)
        np.testing.assert_allclose(value(function, truth, predicted, times), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_resample_has_a_value_of_its_own(function):
    weights = np.random.default_rng(0).integers(0, 3, (7, 4)).astype(np.float64)
    one_by_one = [value(function, TRUTH, PREDICTED, row) for row in weights]
    np.testing.assert_allclose(function(TRUTH, PREDICTED, weights), one_by_one)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_image_without_a_value_on_either_side_does_not_count(function):
    truth, predicted = [NAN, *TRUTH, 7], [3, *PREDICTED, NAN]
    assert value(function, truth, predicted, [5, 1, 1, 1, 1, 5]) == pytest.approx(value(function, TRUTH, PREDICTED))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("truth", "predicted", "weights"),
    [([], [], []), ([1], [2], [1]), ([1, 2], [1, 3], [0, 9]), ([1, NAN], [2, 3], [1, 1]), ([1, 2], [2, 3], [0, 0])],
)
def test_fewer_than_two_images_have_no_agreement(function, truth, predicted, weights):
    assert np.isnan(value(function, truth, predicted, weights))


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6 + 0.1])
def test_without_variance_there_is_nothing_to_explain_but_there_is_a_bias(constant):
    same = [constant] * 3
    assert np.isnan(value(r2, same, [1, 2, 3]))
    assert value(concordance, same, [1, 2, 3]) == pytest.approx(0)
    assert np.isnan(value(concordance, same, [2, 2, 2]))
    higher = [constant + 0.5] * 3
    assert [value(function, same, higher) for function in FUNCTIONS[2:]] == pytest.approx([0.5] * 3)


def test_a_resample_of_equal_values_has_no_variance_however_sums_are_rounded():
    for constant in np.random.default_rng(0).random(50):
        assert np.isnan(value(r2, [constant] * 3 + [7], [1, 2, 3, 4], [3, 3, 1, 0]))


@given(numbers())
@settings(deadline=None, max_examples=30)
def test_the_same_values_agree_perfectly(truth):
    expected = [1, 1, 0, 0, 0] if np.ptp(truth) else [NAN, NAN, 0, 0, 0]
    np.testing.assert_array_equal([value(function, truth, truth) for function in FUNCTIONS], expected)


@given(numbers(), numbers())
@settings(deadline=None, max_examples=30)
def test_limits_lie_about_the_bias_and_exchanging_the_sides_turns_it_round(truth, predicted):
    low, middle, high = (value(function, truth, predicted) for function in (lower_limit, bias, upper_limit))
    assert middle - low == pytest.approx(high - middle)
    assert value(bias, predicted, truth) == pytest.approx(-middle)
    np.testing.assert_allclose(
        value(concordance, predicted, truth), value(concordance, truth, predicted), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_large_common_value_costs_no_digits(function):
    expected = value(function, TRUTH, PREDICTED)
    assert value(function, TRUTH + 1e8, PREDICTED + 1e8) == pytest.approx(expected, rel=1e-9)
