"""Scores by stratum and by fold, and costs of folds, equal what is worked out by hand."""

import numpy as np
import pytest

from histoloom.evaluate.statistics.bootstrap import resample
from histoloom.evaluate.tables.fold_spread import SPREAD_COLUMNS, spread_rows
from histoloom.evaluate.tables.strata import STRATA_COLUMNS, strata_rows
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
