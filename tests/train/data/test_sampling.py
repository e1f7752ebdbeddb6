"""Balanced sampling: the odds by hand, and epochs that keep them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.train.data.sampling import class_shares, drawn_order, window_odds

# Three windows of background alone, and one whose other half is nuclei.
SHARES = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
ODDS = st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any).map(lambda parts: np.array(parts) / sum(parts))


def counts_of(order, windows):
    return np.bincount(order, minlength=windows)


def test_shares_are_of_all_pixels_and_those_nobody_annotated_belong_to_no_class():
    masks = [np.array([[0, 0, 1, 255]], np.uint8), np.full((2, 2), 255, np.uint8), np.full((3, 2), 2, np.uint8)]
    assert class_shares(masks, 3).tolist() == [[0.5, 0.25, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert class_shares([], 3).shape == (0, 3)


def test_even_has_no_odds():
    assert window_odds("even", ["a", "b"], None) is None


def test_every_stratum_comes_up_as_often_as_any_other():
    odds = window_odds("stratum", ["skin", "lung", "skin", "skin"], None)
    assert odds == pytest.approx([1 / 6, 1 / 2, 1 / 6, 1 / 6])


def test_every_class_comes_up_as_often_as_any_other():
    # Background: half of the draws, of which 1/3.5 go to each window of it alone and 0.5/3.5 to the last one.
    # Nuclei: the other half, all to the last window. 1/2 * 1/3.5 = 1/7; 1/2 * 1/7 + 1/2 = 4/7.
    assert window_odds("class", [""] * 4, SHARES) == pytest.approx([1 / 7, 1 / 7, 1 / 7, 4 / 7])


def test_a_class_that_never_occurs_has_no_part():
    with_a_third = np.hstack([SHARES, np.zeros((4, 1))])
    assert window_odds("class", [""] * 4, with_a_third) == pytest.approx(window_odds("class", [""] * 4, SHARES))


def test_a_rare_class_is_seen_as_often_as_the_common_ones():
    # 98 windows of class 0, one of class 1, one of class 2: each class a third of the draws.
    shares = np.eye(3)[[0] * 98 + [1, 2]]
    order = drawn_order(np.random.default_rng(0), 300, window_odds("class", [""] * 100, shares))
    assert counts_of(order, 100)[98:].tolist() == [100, 100]
    assert set(counts_of(order, 100)[:98]) == {1, 2}  # 100 draws over 98 windows


def test_without_odds_every_window_comes_once():
    order = drawn_order(np.random.default_rng(3), 50, None)
    assert sorted(order) == list(range(50))
    assert order.tolist() != list(range(50))


@given(odds=ODDS, count=st.integers(1, 200), seed=st.integers(0, 5))
def test_an_epoch_keeps_the_odds_as_closely_as_whole_numbers_can(odds, count, seed):
    counts = counts_of(drawn_order(np.random.default_rng(seed), count, odds), len(odds))
    assert len(counts) == len(odds)
    assert counts.sum() == count
    assert (abs(counts - count * odds) < 1 + 1e-6).all()
    assert (counts[odds == 0] == 0).all()


def test_over_many_epochs_each_window_has_its_odds_and_all_come_up():
    odds = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.02, 0.0])
    rng = np.random.default_rng(11)
    counts = sum(counts_of(drawn_order(rng, 3, odds), 7) for _ in range(4000))
    # 12,000 draws: the standard deviation of a binomial count is at most 55, of these draws less.
    assert counts == pytest.approx(12000 * odds, abs=4 * 55)
    assert (counts[:-1] > 0).all()


def test_two_windows_of_small_odds_may_come_up_in_one_epoch_wherever_they_stand():
    # Marks half an epoch apart would never take two neighbours of odds 1/20, were their order always the same.
    rng, odds = np.random.default_rng(2), np.full(20, 0.05)
    pairs = {tuple(sorted(drawn_order(rng, 2, odds))) for _ in range(3000)}
    assert pairs == {(first, second) for first in range(20) for second in range(first + 1, 20)}


def test_the_order_is_random_and_the_same_for_the_same_generator():
    odds = np.full(10, 0.1)
    first, again, other = (drawn_order(np.random.default_rng(seed), 100, odds) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert counts_of(first, 10).tolist() == [10] * 10
    # In random order 99 neighbours are the same window 10 times in the mean, with a standard deviation of 3.
    assert (np.diff(first) == 0).sum() < 25


def test_an_unknown_word_is_refused():
    with pytest.raises(InputError, match=r"train\.sampling: clas; expected even, stratum, class; did you mean 'class'"):
        window_odds("clas", ["a"], None)
