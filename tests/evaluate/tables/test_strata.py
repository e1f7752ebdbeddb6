"""Scores by stratum and by fold, and costs of folds, equal what is worked out by hand."""

import numpy as np
import pytest

from histoloom.evaluate.scores import ImageScores, columns
from histoloom.evaluate.statistics.bootstrap import estimate, resample
from histoloom.evaluate.tables.fold_spread import SPREAD_COLUMNS, spread_rows
from histoloom.evaluate.tables.strata import STRATA_COLUMNS, strata_rows, stratum_means
from tests.evaluate.tables.made_counts import CLASSES, made_counts

NAN = np.nan


def strata_of(counts, groups="abcd"):
    drawn = resample(groups, 4000, np.random.default_rng(0))
    rows = [
        dict(zip(STRATA_COLUMNS, row, strict=True)) for row in strata_rows(counts, "model", ["recall"], CLASSES, drawn)
    ]
    return {row["stratum"]: row for row in rows if row["class"] == "nucleus"}


def test_a_stratum_is_the_mean_of_its_images():
    counts = made_counts([0.1, 0.3, 0.8, 0.6], "abcd", strata=["lung", "colon", "colon", "lung"])
    rows = strata_of(counts)
    assert list(rows) == ["colon", "lung"]
    assert (rows["colon"]["mean"], rows["lung"]["mean"]) == (0.55, 0.35)
    assert [(row["images"], row["groups"]) for row in rows.values()] == [(2, 2), (2, 2)]
    assert rows["colon"]["kind"] == "model"


def test_the_interval_of_a_stratum_spans_the_draws_of_its_groups():
    # Whatever else is drawn, colon is .3, .8 or between, each end far more often than one time in forty.
    counts = made_counts([0.1, 0.3, 0.8, 0.6], "abcd", strata=["lung", "colon", "colon", "lung"])
    row = strata_of(counts)["colon"]
    assert (row["low"], row["high"]) == (0.3, 0.8)


def test_a_stratum_of_one_group_has_no_interval():
    counts = made_counts([0.1, 0.3, 0.8], "abb", strata=["lung", "colon", "colon"])
    rows = strata_of(counts, "ab")
    assert (rows["colon"]["mean"], rows["colon"]["low"], rows["colon"]["groups"]) == (0.55, None, 1)


def test_strata_weighted_by_their_images_make_the_mean_of_all():
    scores = [0.1, 0.3, 0.8, 0.6, NAN]
    rows = strata_of(made_counts(scores, "abcda", strata=["x", "y", "y", "x", "y"]))
    total = sum(row["mean"] * row["images"] for row in rows.values()) / sum(row["images"] for row in rows.values())
    assert total == pytest.approx(np.nanmean(scores))


@pytest.mark.parametrize("name", ["mean", "b"])
def test_each_stratum_has_what_estimate_says_of_its_images_when_all_others_are_undefined(name):
    # Groups reach over strata; "skin" has one group, "bone" no value, and one class has no value in "colon".
    rng = np.random.default_rng(1)
    group = rng.integers(0, 7, 60)
    strata = np.array(["", "lung", "colon", "skin", "bone"])[np.where(group == 6, 3, rng.integers(0, 3, 60))]
    strata[:2] = "bone"
    values = {each: np.where(rng.random(60) < 0.2, NAN, rng.random(60)) for each in ("a", "b")}
    values["a"][strata == "colon"] = NAN
    for each in values.values():
        each[strata == "bone"] = NAN
    scores = ImageScores(tuple(map(str, range(60))), group, tuple(strata.tolist()), values)
    classes, drawn = ("background", "a", "b"), resample("abcdefg", 500, rng)
    found = stratum_means(scores, name, classes, drawn)
    assert list(found) == ["", "bone", "colon", "lung", "skin"]
    for stratum, one in found.items():
        own = np.where((strata == stratum)[:, None], columns(scores, name, classes), NAN)
        expected = estimate(own, group, drawn.weights)
        assert (one.images, one.groups) == (expected.images, expected.groups)
        # The last bit may differ, since the order of additions within a product is not ours.
        numbers = [(each.mean, each.low, each.high) for each in (one, expected)]
        np.testing.assert_allclose(*numbers, rtol=0, atol=1e-14)


def test_a_dataset_without_strata_has_no_rows_and_images_without_one_are_a_stratum_of_their_own():
    assert strata_of(made_counts([0.1, 0.3], "ab"), "ab") == {}
    assert list(strata_of(made_counts([0.1, 0.3], "ab", strata=["", "lung"]), "ab")) == ["", "lung"]


def spread_of(counts):
    rows = [dict(zip(SPREAD_COLUMNS, row, strict=True)) for row in spread_rows(counts, "model", ["recall"], CLASSES)]
    return next(row for row in rows if row["class"] == "nucleus")


def test_the_spread_is_over_the_means_of_folds():
    # Folds 0, 1 and 2 have means .2, .4 and .6.
    row = spread_of(made_counts([0.1, 0.3, 0.4, 0.5, 0.7], "abcde", folds=[0, 0, 1, 2, 2]))
    assert row["folds"] == 3
    assert (row["mean"], row["sd"], row["least"], row["most"]) == pytest.approx((0.4, 0.2, 0.2, 0.6))


def test_cases_that_differ_within_folds_alone_are_no_spread_of_folds():
    row = spread_of(made_counts([0.0, 1.0, 0.0, 1.0], "abcd", folds=[0, 0, 1, 1]))
    assert (row["mean"], row["sd"]) == (0.5, 0.0)


def test_one_fold_has_no_deviation_and_undefined_folds_do_not_count():
    row = spread_of(made_counts([0.25, NAN], "ab", folds=[0, 1]))
    assert (row["folds"], row["mean"], row["sd"], row["least"]) == (1, 0.25, None, 0.25)
    empty = spread_of(made_counts([NAN, NAN], "ab", folds=[0, 1]))
    assert (empty["folds"], empty["mean"]) == (0, None)


def test_an_image_that_two_folds_tested_counts_in_both():
    row = spread_of(made_counts([0.2, 0.6], "aa", folds=[0, 1], names=["x", "x"]))
    assert (row["folds"], row["mean"]) == (2, 0.4)
