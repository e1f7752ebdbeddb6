"""Rows of comparison.csv: differences of the same images, tested over groups and corrected for all pairs."""

import numpy as np
import pytest

from histoloom.evaluate.scores import image_scores
from histoloom.evaluate.statistics.bootstrap import resample
from histoloom.evaluate.statistics.significance import holm, wilcoxon
from histoloom.evaluate.tables.comparison import COMPARISON_COLUMNS, comparison_rows, group_means, p_cell
from tests.evaluate.tables.made_counts import CLASSES, made_counts

NAN = np.nan
GROUPS = "aabbccddeeff"


def compared(counts, others=(), metrics=("recall",)):
    drawn = resample(GROUPS, 200, np.random.default_rng(0))
    rows = comparison_rows(counts, others, metrics, CLASSES, drawn, skipped=3)
    return [dict(zip(COMPARISON_COLUMNS, row, strict=True)) for row in rows]


def of_nuclei(rows):
    return {(row["first"], row["second"]): row for row in rows if row["class"] == "nucleus"}


def models():
    high = [0.9, 0.8, 0.9, 0.9, 0.7, 0.8, 0.9, 0.6, 0.8, 0.7, 0.9, 0.9]
    less = [0.01, 0.02, 0.03, 0.05, 0.06, 0.05, 0.08, 0.07, 0.1, 0.1, 0.11, 0.14]
    low = [score - gap for score, gap in zip(high, less, strict=True)]
    mixed = [score + sign * gap for score, gap, sign in zip(high, less, [1, 1, -1, -1] * 3, strict=True)]
    return [made_counts(scores, GROUPS, name) for name, scores in (("a", high), ("b", low), ("otsu", mixed))]


def test_p_is_of_the_mean_differences_of_the_groups():
    rows = of_nuclei(compared(models(), ["otsu"]))
    # Gaps of the groups' two images: means .015, .04, .055, .075, .1 and .125, all of one sign: 2 / 2^6.
    assert rows["a", "b"]["p"] == pytest.approx(2 / 64, abs=1e-5)
    # a - otsu is -.015, .04, -.055, .075, -.1, .125: ranks 2 + 4 + 6 of 21 are positive, 12 against 9.
    by_hand = wilcoxon(np.array([-1.0, 2, -3, 4, -5, 6]))
    assert rows["a", "otsu"]["p"] == pytest.approx(by_hand, abs=1e-4)
    assert (rows["a", "b"]["groups"], rows["a", "b"]["images"], rows["a", "b"]["skipped"]) == (6, 12, 3)


def test_holm_counts_all_pairs_of_a_class_those_with_baselines_too():
    rows = of_nuclei(compared(models(), ["otsu"]))
    assert list(rows) == [("a", "b"), ("a", "otsu"), ("b", "otsu")]
    raw = [row["p"] for row in rows.values()]
    assert [row["p_holm"] for row in rows.values()] == pytest.approx(holm(raw), rel=1e-3)
    assert rows["a", "b"]["p_holm"] == pytest.approx(3 * 2 / 64, abs=1e-4)


def test_holm_does_not_mix_metrics():
    once, twice = of_nuclei(compared(models())), compared(models(), metrics=("recall", "dice"))
    assert of_nuclei(row for row in twice if row["metric"] == "recall") == once


def test_models_that_never_differ_have_no_p_and_count_as_no_test():
    first, second, _ = models()
    twin = made_counts([0.9, 0.8, 0.9, 0.9, 0.7, 0.8, 0.9, 0.6, 0.8, 0.7, 0.9, 0.9], GROUPS, "twin")
    rows = of_nuclei(compared([first, twin, second]))
    assert (rows["a", "twin"]["p"], rows["a", "twin"]["p_holm"]) == (None, None)
    assert rows["a", "b"]["p_holm"] == pytest.approx(2 * 2 / 64, abs=1e-4)


def test_a_group_counts_once_however_many_images_it_has():
    # One group of seven images that lose, five groups of one image that win: by images 7 against 5.
    groups = "aaaaaaabcdef"
    first = made_counts([0.5] * 12, groups, "a")
    second = made_counts([0.6] * 7 + [0.39, 0.38, 0.37, 0.36, 0.35], groups, "b")
    row = of_nuclei(compared([first, second]))["a", "b"]
    assert row["p"] == pytest.approx(wilcoxon(np.array([-0.1, 0.11, 0.12, 0.13, 0.14, 0.15])), abs=1e-4)
    assert row["groups"] == 6


def test_the_mean_over_classes_is_tested_by_the_groups_mean_over_classes():
    values = np.array([[0.1, NAN], [0.3, 0.8], [NAN, 0.5], [NAN, NAN]])
    # Group 0: columns 0.2 and 0.8, mean 0.5; group 1: only the second column; group 2: nothing.
    found = group_means(values, np.array([0, 0, 1, 2]), 3)
    assert found[:2] == pytest.approx([0.5, 0.5])
    assert np.isnan(found[2])


def test_images_that_only_one_model_predicted_are_left_out():
    first = made_counts([0.9, 0.8, 0.1], "abc", "a", names=["x", "y", "z"])
    second = made_counts([0.5, 0.7, 0.9], "bad", "b", names=["y", "x", "w"])
    row = of_nuclei(compared([first, second]))["a", "b"]
    assert row["difference"] == pytest.approx((0.2 + 0.3) / 2)
    assert (row["images"], row["groups"]) == (2, 2)


def test_small_p_values_keep_their_digits():
    assert p_cell(3.14159e-12) == 3.142e-12
    assert p_cell(NAN) is None


def test_scores_of_the_made_counts_are_what_was_asked_for():
    drawn = resample("ab", 5, np.random.default_rng(0))
    scores = image_scores(made_counts([0.25, NAN], "ab"), "recall", CLASSES, drawn)
    assert scores.values["nucleus"].tolist()[0] == 0.25
    assert np.isnan(scores.values["nucleus"][1])
