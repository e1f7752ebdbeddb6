"""p values equal those counted by hand, those of scipy, and those of a published table."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from histoloom.evaluate.statistics.significance import holm, wilcoxon

NAN = math.nan


def by_all_signs(differences):
    """The definition: the share of all sign patterns whose rank sum is as far out as the one found, both ends."""
    ranks = stats.rankdata(np.abs(differences))
    found = ranks[np.array(differences) > 0].sum()
    sums = [np.dot(ranks, signs) for signs in itertools.product([0, 1], repeat=len(ranks))]
    ends = (np.mean([each <= found for each in sums]), np.mean([each >= found for each in sums]))
    return min(1.0, 2 * min(ends))


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.1], 1.0),  # one group agrees with itself, either way
        ([0.1, 0.2, 0.3], 2 / 8),
        ([-0.1, -0.2, -0.3, -0.4, -0.5, -0.6], 2 / 64),
        ([-0.1, 0.2, 0.3], 4 / 8),  # rank sums 5 of 6: of 8 patterns one gives 6 and one 5, and as many 0 and 1
        ([0.1, -0.1], 1.0),
    ],
)
def test_p_of_few_groups_is_counted_by_hand(differences, expected):
    assert wilcoxon(np.array(differences)) == pytest.approx(expected)


def test_p_is_that_of_scipy_where_nothing_ties():
    rng = np.random.default_rng(0)
    for groups in (5, 12, 30, 50):
        differences = rng.normal(0.3, 1, groups)
        assert wilcoxon(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, rel=1e-9)


def test_p_of_many_groups_is_scipys_approximation_with_ties_corrected():
    differences = np.random.default_rng(1).normal(0.1, 0.3, 80).round(1)
    nonzero = differences[differences != 0]
    assert len(nonzero) > 50 > len(set(np.abs(nonzero)))
    expected = stats.wilcoxon(differences, zero_method="wilcox", method="asymptotic").pvalue
    assert wilcoxon(differences) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.sampled_from([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]), min_size=1, max_size=8))
def test_p_with_ties_is_the_share_of_all_sign_patterns(differences):
    found = wilcoxon(np.array(differences))
    assert found == pytest.approx(by_all_signs(differences))
    assert found == pytest.approx(wilcoxon(-np.array(differences)))
    assert 0 < found <= 1


def test_p_is_that_of_a_published_example():
    # Hollander & Wolfe 1973, 29f., the example of R's wilcox.test: depression scales of nine patients; p = 0.03906.
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    assert wilcoxon(before - after) == pytest.approx(0.03906, abs=5e-6)


def test_groups_that_do_not_differ_and_undefined_ones_are_left_out():
    assert wilcoxon(np.array([0.1, NAN, 0.2, 0.0, 0.3])) == wilcoxon(np.array([0.1, 0.2, 0.3]))


def test_equal_gains_tie_though_their_last_digits_differ():
    noisy = np.array([0.6 - 0.5, 0.9 - 0.8, 0.3 - 0.2, 1.1 - 1.2])
    assert len(set(np.abs(noisy))) > 1
    assert wilcoxon(noisy) == pytest.approx(by_all_signs([1, 1, 1, -1]))
    assert math.isnan(wilcoxon(np.array([0.1 + 0.2 - 0.3])))


@pytest.mark.parametrize("differences", [[], [NAN], [0.0, 0.0], [0.0, NAN]])
def test_without_a_group_that_differs_there_is_no_p(differences):
    assert math.isnan(wilcoxon(np.array(differences, dtype=float)))


def test_holm_multiplies_by_the_tests_that_are_left_and_never_falls():
    # sorted .005 x 4, .01 x 3, .03 x 2, .04 x 1 -> .02, .03, .06 and .04, which may not be below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_one_test_stays_as_it_is():
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_holm_does_not_count_tests_that_were_not_made():
    adjusted = holm([0.01, NAN, 0.02])
    assert adjusted[0] == pytest.approx(0.02)
    assert math.isnan(adjusted[1])
    assert adjusted[2] == pytest.approx(0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferronis_and_keeps_the_order(p):
    adjusted = np.array(holm(p))
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
