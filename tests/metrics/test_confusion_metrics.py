"""Scores from a confusion matrix: by hand, against scikit-learn, and what they are where a class is missing."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn

from histoloom.evaluate.counting.confusion import confusion_matrix
from histoloom.metrics.balanced_accuracy import balanced_accuracy
from histoloom.metrics.dice import dice
from histoloom.metrics.f_beta import f_beta
from histoloom.metrics.kappa import kappa
from histoloom.metrics.mcc import mcc
from histoloom.metrics.r2 import r2
from histoloom.metrics.specificity import specificity

NAN = np.nan
OF_ALL = (balanced_accuracy, kappa, mcc)
OF_CLASSES = (specificity, f_beta, r2)
LOWEST = {balanced_accuracy: 0, specificity: 0, f_beta: 0, kappa: -1, mcc: -1, r2: -np.inf}

# Truth has 6, 6 and 0 pixels, prediction 7, 4 and 1: class 2 is predicted but absent.
COUNTS = np.array([[[5, 1, 0], [2, 3, 1], [0, 0, 0]]])
BY_HAND = [
    (balanced_accuracy, [(5 / 6 + 3 / 6) / 2]),
    (specificity, [4 / 6, 5 / 6, 11 / 12]),
    (f_beta, [25 / (4 * 6 + 7), 15 / (4 * 6 + 4), 0]),
    (kappa, [(8 * 12 - (6 * 7 + 6 * 4)) / (144 - (6 * 7 + 6 * 4))]),
    (mcc, [(8 * 12 - (6 * 7 + 6 * 4)) / np.sqrt((144 - 36 - 36) * (144 - 49 - 16 - 1))]),
    (r2, [1 - 3 / (12 * 0.25), 1 - 4 / (12 * 0.25), NAN]),
]


def masks(classes=3):
    values = st.sampled_from([*range(classes), 255])
    return st.tuples(arrays(np.uint8, (6, 5), elements=values), arrays(np.uint8, (6, 5), elements=st.integers(0, 2)))


def counts(truth, predicted):
    return confusion_matrix(truth, predicted, 3)[None]


@pytest.mark.parametrize(("metric", "expected"), BY_HAND, ids=lambda value: getattr(value, "__name__", ""))
def test_scores_equal_those_by_hand(metric, expected):
    np.testing.assert_allclose(metric(COUNTS), [expected], rtol=1e-12)


@pytest.mark.parametrize("metric", LOWEST)
def test_images_are_scored_each_for_itself(metric):
    stack = np.stack([COUNTS[0], 3 * np.eye(3, dtype=np.int64), COUNTS[0].T])
    np.testing.assert_array_equal(metric(stack), np.concatenate([metric(one[None]) for one in stack]))


@pytest.mark.parametrize("metric", LOWEST)
@given(masks())
@settings(deadline=None, max_examples=25)
def test_the_same_mask_scores_one_or_is_undefined_and_nothing_scores_more(metric, drawn):
    truth, predicted = drawn
    perfect = metric(counts(truth, np.where(truth == 255, predicted, truth)))
    assert ((perfect == 1) | np.isnan(perfect)).all()
    scores = metric(counts(truth, predicted))
    scores = scores[~np.isnan(scores)]
    assert ((scores >= LOWEST[metric] - 1e-12) & (scores <= 1)).all()


@pytest.mark.parametrize("metric", LOWEST)
@given(masks(), st.permutations(range(3)))
@settings(deadline=None, max_examples=25)
def test_renumbering_classes_renumbers_scores(metric, drawn, order):
    table = np.array([*order, *[255] * 253], np.uint8)
    scores, renumbered = metric(counts(*drawn)), metric(counts(*(table[mask] for mask in drawn)))
    np.testing.assert_allclose(renumbered if metric in OF_ALL else renumbered[:, order], scores, rtol=1e-12)


@pytest.mark.parametrize("metric", LOWEST)
@given(masks(), arrays(np.uint8, (6, 5), elements=st.integers(0, 2)))
@settings(deadline=None, max_examples=25)
def test_what_is_predicted_where_nobody_annotated_never_counts(metric, drawn, other):
    truth, predicted = drawn
    elsewhere = np.where(truth == 255, other, predicted)
    np.testing.assert_array_equal(metric(counts(truth, predicted)), metric(counts(truth, elsewhere)))


@pytest.mark.parametrize("metric", [kappa, mcc])
@given(masks())
@settings(deadline=None, max_examples=25)
def test_kappa_and_matthews_do_not_care_which_of_two_is_the_truth(metric, drawn):
    confusion = counts(*drawn)
    np.testing.assert_allclose(metric(confusion), metric(confusion.transpose(0, 2, 1)), rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_scores_agree_with_scikit_learn(seed):
    truth, predicted = np.random.default_rng(seed).choice(3, (2, 400), p=[0.7, 0.2, 0.1]).astype(np.uint8)
    predicted = np.where(np.arange(400) % 3 > 0, truth, predicted)
    confusion = counts(truth[None], predicted[None])
    assert balanced_accuracy(confusion).item() == pytest.approx(sklearn.balanced_accuracy_score(truth, predicted))
    assert mcc(confusion).item() == pytest.approx(sklearn.matthews_corrcoef(truth, predicted))
    assert kappa(confusion).item() == pytest.approx(sklearn.cohen_kappa_score(truth, predicted))
    np.testing.assert_allclose(f_beta(confusion)[0], sklearn.fbeta_score(truth, predicted, beta=2, average=None))
    for index in range(3):
        true, found = truth == index, predicted == index
        assert specificity(confusion)[0, index] == pytest.approx(sklearn.recall_score(~true, ~found))
        assert r2(confusion)[0, index] == pytest.approx(sklearn.r2_score(true.astype(float), found.astype(float)))


def test_balanced_accuracy_leaves_out_classes_absent_from_truth_as_scikit_learn_does():
    truth, predicted = np.repeat([0, 1], 6), np.array([0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 2])
    with warnings.catch_warnings(action="ignore"):  # "y_pred contains classes not in y_true"
        expected = sklearn.balanced_accuracy_score(truth, predicted)
    assert balanced_accuracy(COUNTS).item() == pytest.approx(expected)


NOTHING = np.zeros((1, 2, 2), np.int64)
SINGLE = np.array([[[8, 0], [0, 0]]])  # background alone, and found to be so
ONLY_PREDICTED = np.array([[[6, 2], [0, 0]]])
MISSED = np.array([[[6, 0], [2, 0]]])
FULL_AND_FOUND = np.array([[[0, 0], [0, 8]]])
ALL_WRONG = np.array([[[0, 8], [0, 0]]])
ONE_PIXEL = np.array([[[0, 0], [1, 0]]])


@pytest.mark.parametrize(
    ("metric", "confusion", "expected"),
    [
        *((metric, NOTHING, [NAN]) for metric in OF_ALL),
        *((metric, NOTHING, [NAN, NAN]) for metric in OF_CLASSES),
        (balanced_accuracy, SINGLE, [1]),
        (mcc, SINGLE, [NAN]),
        (kappa, SINGLE, [NAN]),
        (specificity, SINGLE, [NAN, NAN]),
        (f_beta, SINGLE, [1, NAN]),
        (r2, SINGLE, [NAN, NAN]),
        (balanced_accuracy, ONLY_PREDICTED, [0.75]),
        (mcc, ONLY_PREDICTED, [0]),
        (kappa, ONLY_PREDICTED, [0]),
        (specificity, ONLY_PREDICTED, [NAN, 0.75]),
        (f_beta, ONLY_PREDICTED, [30 / 38, 0]),
        (r2, ONLY_PREDICTED, [NAN, NAN]),
        (balanced_accuracy, MISSED, [0.5]),
        (mcc, MISSED, [0]),
        (kappa, MISSED, [0]),
        (specificity, MISSED, [0, 1]),
        (f_beta, MISSED, [30 / 32, 0]),
        (r2, MISSED, [1 - 2 / 1.5, 1 - 2 / 1.5]),
        (specificity, FULL_AND_FOUND, [NAN, NAN]),
        (f_beta, FULL_AND_FOUND, [NAN, 1]),
        (mcc, ALL_WRONG, [0]),
        (kappa, ALL_WRONG, [0]),
        (balanced_accuracy, ALL_WRONG, [0]),
        (balanced_accuracy, ONE_PIXEL, [0]),
        (mcc, ONE_PIXEL, [0]),
        (kappa, ONE_PIXEL, [0]),
        (specificity, ONE_PIXEL, [0, NAN]),
        (f_beta, ONE_PIXEL, [0, 0]),
        (r2, ONE_PIXEL, [NAN, NAN]),
    ],
)
def test_classes_in_neither_in_one_only_and_alone_have_stated_scores(metric, confusion, expected):
    np.testing.assert_allclose(metric(confusion), [expected], rtol=1e-12)


def test_exchanged_classes_score_minus_one_by_kappa_and_matthews():
    opposite = np.array([[[0, 4], [4, 0]]])
    assert (kappa(opposite).item(), mcc(opposite).item()) == (-1, -1)


def test_f_beta_punishes_missing_more_than_dice_does_and_finding_too_much_less():
    missing, too_much = np.array([[[90, 0], [5, 5]]]), np.array([[[85, 5], [0, 10]]])
    assert f_beta(missing)[0, 1] < dice(missing)[0, 1]
    assert f_beta(too_much)[0, 1] > dice(too_much)[0, 1]


@pytest.mark.parametrize("metric", LOWEST)
def test_pooled_counts_of_a_trillion_pixels_score_as_one_image_with_the_same_shares(metric):
    np.testing.assert_allclose(metric(COUNTS * 10**11), metric(COUNTS), rtol=1e-12)
