"""Means, intervals and differences equal what is worked out by hand, or by listing all resamples."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from histoloom.class_names import check_classes
from histoloom.errors import InputError
from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scores import class_scores, image_scores
from histoloom.evaluate.statistics.averaging import agreements, pooled, tissue_means
from histoloom.evaluate.statistics.bootstrap import estimate, group_totals, interval, resample
from histoloom.evaluate.tables.comparison import comparison_rows, paired_difference
from histoloom.evaluate.tables.summary import IMAGE_MEAN, described, score_rows, summary_rows

NAN = np.nan
CLASSES = ("background", "epithelial", "stroma")


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def table(right: list[int], wrong: list[int], groups: str, names: str = "abcdefgh", folds: str = "00000000") -> Counts:
    """Images of class 1 with `right` pixels found and `wrong` ones lost to background: Dice 2r / (2r + w)."""
    confusion = np.zeros((len(right), 2, 2), np.int64)
    confusion[:, 1, 1], confusion[:, 1, 0] = right, wrong
    rows = zip(folds, names, groups, strict=False)
    images = pd.DataFrame([(int(fold), name, group, "") for fold, name, group in rows][: len(right)])
    images.columns = ["fold", "name", "group", "stratum"]
    return Counts("lab", "unet", images, {"confusion": confusion})


def test_weights_draw_as_many_groups_as_there_are():
    drawn = resample(["b", "a", "b", "c"], 50, rng())
    assert drawn.groups == ("a", "b", "c")
    assert drawn.weights.shape == (50, 3)
    assert (drawn.weights.sum(axis=1) == 3).all()


def test_the_same_seed_draws_the_same_groups():
    assert (resample("abc", 20, rng()).weights == resample("abc", 20, rng()).weights).all()


def test_totals_leave_undefined_values_out():
    sums, counts = group_totals(np.array([[1.0], [NAN], [5.0]]), np.array([0, 0, 1]), 2)
    assert sums.tolist() == [[1.0], [5.0]]
    assert counts.tolist() == [[1.0], [1.0]]


def test_a_mean_weighs_images_alike_and_counts_the_defined_ones():
    values = np.array([[0.2], [0.4], [NAN], [0.9]])
    found = estimate(values, np.array([0, 0, 1, 2]), resample("abc", 100, rng()).weights)
    assert found.mean == pytest.approx(0.5)
    assert (found.images, found.groups) == (3, 2)


def test_a_mean_over_classes_weighs_classes_alike():
    # Column means are 0.5 and 0.8: the class in one image only counts as much as the other.
    values = np.array([[0.4, NAN, NAN], [0.6, 0.8, NAN]])
    assert estimate(values, np.array([0, 1]), np.ones((1, 2))).mean == pytest.approx(0.65)


def test_two_groups_give_the_three_means_that_can_be_drawn():
    # Groups a (0.1, 0.3) and b (0.8): aa 0.2, ab and ba 0.4, bb 0.8, with chances 1/4, 1/2, 1/4.
    values, group = np.array([[0.1], [0.3], [0.8]]), np.array([0, 0, 1])
    drawn = resample("ab", 4000, rng())
    chance = {0: Fraction(1, 4), 1: Fraction(1, 2), 2: Fraction(1, 4)}
    for times, expected in chance.items():
        assert (drawn.weights[:, 0] == times).mean() == pytest.approx(float(expected), abs=0.03)
    found = estimate(values, group, drawn.weights)
    assert (found.low, found.high) == pytest.approx((0.2, 0.8))
    only_mixed = estimate(values, group, np.ones((5, 2)))
    assert (only_mixed.low, only_mixed.high) == pytest.approx((0.4, 0.4))


def test_a_percentile_interval_leaves_two_and_a_half_percent_on_each_side():
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))


def test_an_interval_of_nothing_is_undefined():
    assert np.isnan(interval(np.array([NAN, NAN]))).all()


def test_constant_scores_have_an_interval_of_no_width():
    found = estimate(np.full((6, 1), 0.75), np.array([0, 0, 1, 1, 1, 2]), resample("abc", 200, rng()).weights)
    assert (found.mean, found.low, found.high) == (0.75, 0.75, 0.75)


def test_one_group_has_no_interval():
    found = estimate(np.array([[0.5], [1.0]]), np.array([0, 0]), resample("a", 20, rng()).weights)
    assert found.mean == 0.75
    assert np.isnan([found.low, found.high]).all()


def test_scores_that_are_nowhere_defined_have_no_mean():
    found = estimate(np.full((2, 1), NAN), np.array([0, 1]), resample("ab", 20, rng()).weights)
    assert np.isnan(found.mean)
    assert (found.images, found.groups) == (0, 0)


def test_class_scores_hold_the_merged_foreground_and_the_mean_of_the_classes():
    confusion = np.array([[[4, 0, 0], [0, 2, 2], [0, 0, 0]]])
    scores = class_scores("dice", confusion, CLASSES)
    assert list(scores) == ["foreground", "mean", "background", "epithelial", "stroma"]
    expected = [1, (4 / 6 + 0) / 2, 1, 4 / 6, 0]
    assert [values[0] for values in scores.values()] == pytest.approx(expected)


def test_accuracy_is_given_for_all_classes_and_for_merged_foreground():
    scores = class_scores("accuracy", np.array([[[4, 0, 0], [0, 2, 2], [0, 0, 0]]]), CLASSES)
    assert {name: values[0] for name, values in scores.items()} == {"all": 0.75, "foreground": 1.0}


def test_nuclei_of_any_class_are_the_foreground_of_the_table():
    pairs = np.array([[[2.0, 0, 0, 2.0], [1, 1, 1, 1], [0, 0, 0, 0]]])
    scores = {name: values[0] for name, values in class_scores("pq", pairs, CLASSES).items()}
    assert scores == pytest.approx({"foreground": 1, "mean": 0.5, "epithelial": 0.5, "stroma": NAN}, nan_ok=True)


def test_a_class_named_foreground_does_not_hide_the_merged_nuclei():
    pairs = np.array([[[2.0, 0, 0, 2.0], [1, 1, 1, 1]]])
    assert class_scores("pq", pairs, ("background", "foreground"))["foreground"].tolist() == [1.0]


@pytest.mark.parametrize("classes", [("background", "mean"), ("background", "foreground", "stroma")])
def test_class_names_with_a_meaning_of_their_own_are_refused(classes):
    with pytest.raises(InputError, match="expected another name"):
        check_classes(classes)


def test_more_classes_than_masks_can_hold_beside_labels_of_models_are_refused():
    names = [f"class {number}" for number in range(128)]
    check_classes(names[:127])
    with pytest.raises(InputError, match="classes: 128 of them; expected at most 127"):
        check_classes(names)


def test_an_image_tested_in_two_folds_counts_once_with_its_mean():
    counts = table([1, 3, 1], [2, 2, 0], groups="xxy", names="aab", folds="010")  # Dice 0.5, 0.75 and 1
    drawn = resample("xy", 50, rng())
    scores = image_scores(counts, "dice", ("background", "nucleus"), drawn)
    assert scores.names == ("a", "b")
    assert scores.values["foreground"].tolist() == [0.625, 1.0]
    # Pooled: image a weighs half in each fold, so right is (1 + 3) / 2 + 1 = 3 and wrong (2 + 2) / 2 = 2.
    found = pooled(counts, "dice", ("background", "nucleus"), drawn)["foreground"]
    assert found.mean == pytest.approx(6 / 8)
    assert (found.images, found.groups) == (2, 2)


def test_pooled_scores_add_counts_before_dividing():
    counts = table([1, 9], [9, 1], groups="xy")
    found = pooled(counts, "recall", ("background", "nucleus"), resample("xy", 500, rng()))["foreground"]
    assert found.mean == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((0.1, 0.9))  # xx and yy are each drawn one time in four


def test_summary_rows_name_kind_averaging_and_counts():
    counts = table([1, 3], [2, 2], groups="xy")
    drawn = resample("xy", 100, rng())
    rows = list(summary_rows(counts, "model", ["dice"], ("background", "nucleus"), drawn))
    first = dict(zip(["dataset", "architecture", "kind", "metric", "class", "mean"], rows[0], strict=False))
    assert first == {
        "dataset": "lab",
        "architecture": "unet",
        "kind": "model",
        "metric": "dice",
        "class": "foreground",
        "mean": 0.625,
    }
    assert rows[0][6:10] == (0.5, 0.75, 2, 2)
    assert [row[3:5] for row in rows[:8]] == [
        (metric, name) for metric in ("dice", "dice@pooled") for name in ("foreground", "mean", "background", "nucleus")
    ]
    assert "image mean" in rows[0][10]
    assert "pooled" in rows[7][10]
    others = dict.fromkeys(row[3] for row in rows[8:])
    assert list(others) == [
        f"area_fraction@{name}" for name in ("truth", "r2", "concordance", "bias", "lower_limit", "upper_limit")
    ]


def test_what_a_score_is_to_be_read_with_stands_in_every_definition():
    counts = table([1, 3], [2, 2], groups="xy")
    drawn, metrics = resample("xy", 20, rng()), ["dice"]
    plain, marked = (
        list(summary_rows(counts, "model", metrics, ("background", "nucleus"), drawn, remarks=remarks))
        for remarks in ([], ["groups are parted"])
    )
    assert [row[10] for row in marked] == [f"{row[10].removesuffix('.')}; groups are parted." for row in plain]


def test_the_mean_over_classes_is_of_their_means_not_of_the_images():
    # Dice of epithelial 0.5 and 1, of stroma only in the second image, 0: (0.75 + 0) / 2, where images give 0.5 each.
    confusion = np.array([[[4, 0, 0], [2, 1, 0], [0, 0, 0]], [[4, 0, 0], [0, 3, 0], [5, 0, 0]]])
    counts = Counts("lab", "unet", table([1, 1], [1, 1], "xy").images, {"confusion": confusion})
    rows = summary_rows(counts, "model", ["dice"], CLASSES, resample("xy", 20, rng()))
    means = {row[4]: row[5] for row in rows if row[3] == "dice"}
    assert (means["epithelial"], means["stroma"], means["mean"]) == (0.75, 0.0, 0.375)


def test_the_definition_of_merged_nuclei_is_called_bpq():
    assert "(bPQ); image mean" in described("pq", "foreground", "Panoptic quality", IMAGE_MEAN)


def test_score_rows_leave_undefined_cells_empty():
    counts = table([1, 0], [2, 0], groups="xy")
    rows = score_rows(counts, ["dice", "accuracy"], ("background", "nucleus"))
    assert [row[-2:] for row in rows if row[6] in ("foreground", "all")] == [
        (0.5, 0.333333),
        (None, 0.333333),
        (None, None),
        (None, None),
    ]


def nuclei(pairs: list, strata: str, groups: str) -> Counts:
    """One image for each entry of `pairs`, an array of rows (any, class 1, class 2) and columns tp fp fn iou."""
    rows = zip("abcdefgh", groups, strata, strict=False)
    images = pd.DataFrame([(0, *row) for row in rows], columns=["fold", "name", "group", "stratum"])
    facts = {"pairs": np.array(pairs, np.float64), "confusion": np.zeros((len(pairs), 3, 3), np.int64)}
    return Counts("lab", "unet", images, facts)


def test_quality_over_tissues_weighs_tissues_alike_and_differs_by_what_absent_classes_score():
    perfect, missed, absent, false = [1, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]
    counts = nuclei(
        [
            [perfect, perfect, absent],  # tissue x: mean over classes 1
            [missed, missed, absent],  # x: 0
            [perfect, perfect, false],  # y: 1 where truth decides, (1 + 0) / 2 where a false class counts
        ],
        strata="xxy",
        groups="abc",
    )
    drawn = resample("abc", 100, rng())
    assert tissue_means(counts, "pannuke", drawn)["mean"].mean == pytest.approx((0.5 + 1) / 2)
    assert tissue_means(counts, "strict", drawn)["mean"].mean == pytest.approx((0.5 + 0.5) / 2)
    assert tissue_means(counts, "strict", drawn)["foreground"].mean == pytest.approx((0.5 + 1) / 2)


def test_counts_of_nuclei_agree_as_worked_out_by_hand():
    # True counts 2, 4, 6 and predicted 3, 4, 8: differences 1, 0, 2, errors squared 5, spread squared 8.
    pairs = [[[2, 1, 0, 2]] * 3, [[4, 0, 0, 4]] * 3, [[6, 2, 0, 6]] * 3]
    found = agreements(nuclei(pairs, "xxx", "abc"), "count", CLASSES, resample("abc", 50, rng()))
    assert found["bias"]["foreground"].mean == pytest.approx(1)
    assert found["r2"]["foreground"].mean == pytest.approx(1 - 5 / 8)
    assert (found["bias"]["stroma"].images, found["bias"]["stroma"].groups) == (3, 3)


def test_area_fractions_are_shares_of_the_annotated_pixels():
    # Image a: 4 of 12 pixels are true, 2 of 12 predicted; image b: 6 of 8 and 8 of 8.
    confusion = np.array([[[8, 0], [2, 2]], [[0, 2], [0, 6]]])
    counts = Counts("lab", "unet", table([1, 1], [1, 1], "xy").images, {"confusion": confusion})
    found = agreements(counts, "area_fraction", ("background", "nucleus"), resample("xy", 50, rng()))
    assert found["bias"]["nucleus"].mean == pytest.approx(((2 - 4) / 12 + (8 - 6) / 8) / 2)


def test_a_difference_is_paired_by_image_and_leaves_out_images_of_one_alone():
    drawn = resample("xyz", 300, rng())
    classes = ("background", "nucleus")
    first = image_scores(table([1, 3, 5], [2, 2, 0], "xyz", "abc"), "dice", classes, drawn)  # 0.5, 0.75, 1
    second = image_scores(table([0, 1, 0], [9, 2, 0], "zyx", "cbd"), "dice", classes, drawn)  # c 0, b 0.5, d NaN
    found = paired_difference(first, second, "foreground", classes, drawn)
    assert found.mean == pytest.approx((0.25 + 1) / 2)
    assert (found.images, found.groups) == (2, 2)
    assert (found.low, found.high) == pytest.approx((0.25, 1))


def test_a_constant_gain_is_certain_though_scores_vary():
    drawn = resample("wxyz", 300, rng())
    classes = ("background", "nucleus")
    first = image_scores(table([6, 8, 4, 2], [4, 2, 6, 8], "wxyz"), "recall", classes, drawn)
    second = image_scores(table([5, 7, 3, 1], [5, 3, 7, 9], "wxyz"), "recall", classes, drawn)
    found = paired_difference(first, second, "foreground", classes, drawn)
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_models_are_compared_with_each_other_and_with_each_baseline():
    counts = [
        Counts("lab", name, part.images, part.facts)
        for name in ("unet", "deeplab", "otsu")
        for part in [table([1, 3], [2, 2], "xy")]
    ]
    rows = list(comparison_rows(counts, ["otsu"], ["dice"], ("background", "nucleus"), resample("xy", 20, rng())))
    names = ("foreground", "mean", "background", "nucleus")
    pairs = [("unet", "deeplab"), ("unet", "otsu"), ("deeplab", "otsu")]
    assert [row[1:5] for row in rows] == [("dice", name, *pair) for pair in pairs for name in names]
    assert all(row[5:8] == (0.0, 0.0, 0.0) for row in rows)
