"""Metrics of probabilities: by hand, against scikit-learn and torchmetrics, and what missing classes get."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import binary_calibration_error

from histoloom.evaluate.counting.confusion import confusion_matrix
from histoloom.evaluate.counting.probability_histogram import calibration_bins, probability_histogram
from histoloom.metrics.auprc import auprc
from histoloom.metrics.auroc import auroc
from histoloom.metrics.brier import brier
from histoloom.metrics.brier_skill import brier_skill
from histoloom.metrics.ece import ece
from histoloom.metrics.r2 import r2

torch.set_num_threads(1)
NAN = np.nan
METRICS = (brier, brier_skill, ece, auroc, auprc)
PERFECT = {brier: 0, brier_skill: 1, ece: 0, auroc: 1, auprc: 1}


def histogram(is_of_class, values):
    return np.bincount(np.asarray(values) + 256 * np.asarray(is_of_class), minlength=512)


def score(metric, is_of_class, values):
    return metric(histogram(is_of_class, values)[None, None]).item()


def images():
    truth = arrays(np.uint8, (4, 6), elements=st.sampled_from([0, 1, 2, 255]))
    return st.tuples(truth, arrays(np.uint8, (4, 6, 3)))


def test_a_histogram_by_hand():
    truth = np.array([[0, 1], [2, 255]], np.uint8)
    probabilities = np.array([[[200, 50, 5], [0, 255, 0]], [[55, 100, 100], [9, 9, 9]]], np.uint8)
    rows = probability_histogram(truth, probabilities)
    assert rows.shape == (3, 512)
    found = [np.flatnonzero(row).tolist() for row in rows]
    # All foreground has 255 - background: 55 of the first pixel, which has none, 255 and 200 of the next two.
    assert found == [[55, 256 + 200, 256 + 255], [50, 100, 256 + 255], [0, 5, 256 + 100]]
    assert (rows[rows > 0] == 1).all()


@given(images(), arrays(np.uint8, (4, 6, 3)))
@settings(deadline=None, max_examples=25)
def test_every_annotated_pixel_counts_once_in_each_row_and_no_other(drawn, other):
    truth, probabilities = drawn
    rows = probability_histogram(truth, probabilities)
    assert (rows.sum(axis=1) == (truth != 255).sum()).all()
    own = [((truth > 0) & (truth != 255)).sum(), (truth == 1).sum(), (truth == 2).sum()]
    assert rows[:, 256:].sum(axis=1).tolist() == own
    elsewhere = np.where((truth == 255)[..., None], other, probabilities)
    np.testing.assert_array_equal(probability_histogram(truth, elsewhere), rows)


@given(images())
@settings(deadline=None, max_examples=25)
def test_renumbering_classes_renumbers_rows(drawn):
    truth, probabilities = drawn
    swapped = np.array([0, 2, 1, *[255] * 253], np.uint8)[truth]
    rows = probability_histogram(swapped, probabilities[..., [0, 2, 1]])
    np.testing.assert_array_equal(rows, probability_histogram(truth, probabilities)[[0, 2, 1]])


def test_a_class_without_probability_is_refused():
    with pytest.raises(ValueError, match=r"truth holds class 2; expected 0 to 1 or 255"):
        probability_histogram(np.array([[2]], np.uint8), np.zeros((1, 1, 2), np.uint8))


# Five pixels: probabilities 0, 51, 102, 204 and 255 (0, .2, .4, .8 and 1) of which the second and the last two are own.
OWN, VALUES = [0, 1, 0, 1, 1], [0, 51, 102, 204, 255]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (brier, (0.8**2 + 0.4**2 + 0.2**2) / 5),
        (brier_skill, 1 - (0.8**2 + 0.4**2 + 0.2**2) / 5 / (0.6 * 0.4)),
        (ece, (0.8 + 0.4 + 0.2) / 5),  # each in a bin of its own
        (auroc, 5 / 6),  # of the pairs only .2 before .4 is wrong
        (auprc, (1 + 1 + 3 / 4) / 3),
    ],
)
def test_scores_equal_those_by_hand(metric, expected):
    assert score(metric, OWN, VALUES) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_scores_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, 3000)
    own = rng.random(3000) < (values / 255) ** (seed + 1)
    assert score(brier, own, values) == pytest.approx(sklearn.brier_score_loss(own, values / 255))
    assert score(brier_skill, own, values) == pytest.approx(sklearn.r2_score(own.astype(float), values / 255))
    assert score(auroc, own, values) == pytest.approx(sklearn.roc_auc_score(own, values))
    assert score(auprc, own, values) == pytest.approx(sklearn.average_precision_score(own, values))


@pytest.mark.parametrize("seed", range(3))
def test_calibration_agrees_with_torchmetrics_and_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    values = rng.choice([value for value in range(256) if value % 17], 3000)  # 17 k / 255 is a limit: rounding decides
    own = rng.random(3000) < (values / 255) ** 2
    predicted, truth = torch.from_numpy(values / 255), torch.from_numpy(own).int()
    expected = binary_calibration_error(predicted, truth, n_bins=15, norm="l1").item()
    assert score(ece, own, values) == pytest.approx(expected)
    bins = calibration_bins(histogram(own, values))
    shares, means = calibration_curve(own, values / 255, n_bins=15)
    np.testing.assert_allclose(bins.own / bins.pixels, shares)
    np.testing.assert_allclose(bins.probability / bins.pixels, means)


def test_every_byte_falls_into_the_bin_of_its_probability():
    bins = [np.flatnonzero(calibration_bins(histogram([0], [value])).pixels).item() for value in range(256)]
    assert bins == [min(15 * value // 255, 14) for value in range(256)]


@pytest.mark.parametrize("metric", METRICS)
def test_certainty_that_is_right_is_perfect(metric):
    assert score(metric, [0, 0, 0, 1], [0, 0, 0, 255]) == PERFECT[metric]


@given(images())
@settings(deadline=None, max_examples=25)
def test_the_skill_of_zeros_and_ones_is_the_r2_of_masks(drawn):
    truth, probabilities = drawn
    predicted = probabilities.argmax(axis=-1).astype(np.uint8)
    certain = (255 * np.eye(3)[predicted]).astype(np.uint8)
    skill = brier_skill(probability_histogram(truth, certain)[None])
    np.testing.assert_allclose(skill[:, 1:], r2(confusion_matrix(truth, predicted, 3)[None])[:, 1:], atol=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 127)), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_ranking_alone_decides_the_areas_under_curves(pixels):
    own, values = np.array(pixels).T
    for metric in (auroc, auprc):
        np.testing.assert_allclose(score(metric, own, values), score(metric, own, 2 * values + 1), rtol=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 255)), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_the_other_class_is_as_well_told_apart_and_scores_stay_in_range(pixels):
    own, values = np.array(pixels).T
    mirrored = 1 - own, 255 - values
    for metric in (auroc, brier, brier_skill):
        np.testing.assert_allclose(score(metric, *mirrored), score(metric, own, values), rtol=1e-9, atol=1e-12)
    for metric in METRICS:
        found = score(metric, own, values)
        assert np.isnan(found) or found <= 1 + 1e-12
        assert np.isnan(found) or metric is brier_skill or found >= 0


def test_a_forecast_that_never_changes_ranks_by_chance():
    own, values = [1, 0, 0, 0], [51] * 4
    assert score(auroc, own, values) == 0.5
    assert score(auprc, own, values) == 0.25
    assert score(brier_skill, [1, 0, 0, 0, 0], [51] * 5) == pytest.approx(0)
    assert score(ece, [1, 0, 0, 0, 0], [51] * 5) == pytest.approx(0)


@pytest.mark.parametrize(
    ("own", "values", "expected"),
    [
        ([], [], (NAN, NAN, NAN, NAN, NAN)),
        ([0, 0], [0, 255], (0.5, NAN, 0.5, NAN, NAN)),  # the class is in no pixel
        ([1, 1], [0, 255], (0.5, NAN, 0.5, NAN, 1)),  # the class is in every pixel
        ([1], [102], (0.36, NAN, 0.6, NAN, 1)),  # one pixel
        ([0], [0], (0, NAN, 0, NAN, NAN)),
    ],
)
def test_no_class_nothing_else_and_one_pixel_have_stated_scores(own, values, expected):
    found = [score(metric, np.array(own, np.int64), np.array(values, np.int64)) for metric in METRICS]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("metric", METRICS)
def test_images_and_classes_are_scored_each_for_itself_and_pooled_counts_stay_exact(metric):
    facts = np.random.default_rng(0).integers(0, 9, (2, 3, 512))
    one_by_one = [[metric(row[None, None]).item() for row in image] for image in facts]
    np.testing.assert_allclose(metric(facts), one_by_one, rtol=1e-12)
    np.testing.assert_allclose(metric(facts * 10**11), one_by_one, rtol=1e-12)
    np.testing.assert_allclose(metric(facts.astype(np.float64)), one_by_one, rtol=1e-12)
