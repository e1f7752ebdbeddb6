"""The facts of nuclei equal what one counts by hand, whatever ids are, and leave out what nobody annotated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from histoloom.evaluate.counting.matching import pair_counts
from histoloom.evaluate.counting.nuclei_areas import sizes
from histoloom.evaluate.counting.nuclei_counts import nuclei_counts
from histoloom.evaluate.counting.overlap_table import overlaps, runs
from histoloom.sample import IGNORE
from tests.evaluate.counting.drawn_nuclei import (
    EDGES_PX,
    FACTS,
    RADIUS_PX,
    count,
    discs,
    fact,
    nuclei,
    one_class,
    predicted_of,
)

NUCLEI = arrays(np.int32, (6, 8), elements=st.integers(0, 5))
CLASSES = arrays(np.uint8, (6, 8), elements=st.sampled_from([0, 1, 2, IGNORE]))


def counted(truth, mask, predicted, classes, *facts: str, n_classes: int = 3) -> dict[str, np.ndarray]:
    return nuclei_counts(truth, mask, predicted, classes, n_classes, facts, RADIUS_PX, EDGES_PX)


# -- areas shared and united


def test_nuclei_found_in_part_share_and_unite_what_one_counts():
    # 1 and 7 share 2 of 4 pixels, 2 and 8 share 2 of 3.
    truth, predicted = nuclei([1, 1, 1, 1, 0, 2, 2, 0]), nuclei([7, 7, 0, 0, 0, 8, 8, 8])
    assert fact(truth, predicted, "aggregated") == [4, 7, 4, 7]


def test_one_prediction_serves_two_nuclei_for_aji_and_one_for_aji_plus():
    # AJI: 2 of 4 twice. AJI+: 2 of 4, and the other nucleus of 2 pixels alone.
    assert fact(nuclei([1, 1, 2, 2]), nuclei([5, 5, 5, 5]), "aggregated") == [4, 8, 2, 6]


def test_predictions_that_no_nucleus_takes_are_in_the_union():
    # Nucleus 1 takes 5 (2 of 4); 6 (2 pixels) and 7 (1 pixel) are left.
    assert fact(nuclei([1, 1, 1, 1, 0]), nuclei([5, 5, 6, 6, 7]), "aggregated") == [2, 7, 2, 7]


def test_a_nucleus_that_nothing_touches_is_in_the_union():
    assert fact(nuclei([1, 1, 0, 2, 2, 2]), nuclei([4, 4, 0, 0, 0, 0]), "aggregated") == [2, 5, 2, 5]


def test_of_equal_iou_the_prediction_that_shares_more_is_taken():
    # 5 shares 2 of 6 pixels, 6 shares 4 of 12: both a third. 5 is then left alone.
    truth, predicted = nuclei([1] * 6 + [0] * 6), nuclei([5] * 2 + [6] * 10)
    assert fact(truth, predicted, "aggregated")[:2] == [4, 14]


@pytest.mark.parametrize(("left", "right"), [(5, 6), (9, 2)])
def test_of_predictions_equal_in_all_the_first_from_the_top_left_is_taken(left, right):
    # Nucleus 1 shares 2 of 5 pixels with either; nucleus 2 takes the right one, which so is used in any case.
    truth, predicted = nuclei([0, 1, 1, 1, 1, 2]), nuclei([left, left, left, right, right, right])
    assert fact(truth, predicted, "aggregated")[:2] == [3, 8]


def test_aji_plus_pairs_for_the_greatest_sum_even_against_the_best_single_pair():
    # 1 with 5 alone: 3 of 5, more than 1 with 6 (1 of 4) and 2 with 5 (1 of 6) together.
    single = nuclei([1, 1, 1, 1, 2, 2, 2]), nuclei([6, 5, 5, 5, 5, 0, 0])
    assert fact(*single, "aggregated")[2:] == [3, 5 + 3 + 1]
    # 1 with 5 alone: 4 of 9, less than 1 with 6 (3 of 7) and 2 with 5 (2 of 7) together.
    both = nuclei([1, 1, 1, 1, 1, 1, 1, 2, 2, 2]), nuclei([6, 6, 6, 5, 5, 5, 5, 5, 5, 0])
    assert fact(*both, "aggregated")[2:] == [3 + 2, 7 + 7]


def test_object_overlap_weighs_dice_by_area():
    truth, predicted = nuclei([1, 1, 1, 1, 0, 2, 2, 0]), nuclei([7, 7, 0, 0, 0, 8, 8, 8])
    found = fact(truth, predicted, "object_overlap")
    # Dice 4/6 and 4/5; areas 4 and 2 in truth, 2 and 3 in the prediction.
    assert found == pytest.approx([4 * 4 / 6 + 2 * 4 / 5, 6, 2 * 4 / 6 + 3 * 4 / 5, 5])


def test_of_predictions_that_overlap_as_much_the_one_of_higher_dice_counts():
    truth, predicted = nuclei([1, 1, 1, 1, 0, 0]), nuclei([5, 5, 6, 6, 6, 6])
    assert fact(truth, predicted, "object_overlap")[0] == pytest.approx(4 * 4 / 6)


@pytest.mark.parametrize("pixels", range(1, 21))
def test_a_pair_counts_at_every_threshold_that_its_iou_reaches_and_must_exceed_one_half(pixels):
    truth, predicted = nuclei([1] * 20), nuclei([3] * pixels + [0] * (20 - pixels))
    reached = [pixels > 10, *(5 * pixels >= hundredths for hundredths in range(55, 100, 5))]
    assert fact(truth, predicted, "thresholds") == [1, 1, *reached]


# -- errors, sizes


def test_nuclei_are_merged_when_one_prediction_holds_most_of_each():
    truth, predicted = nuclei([1, 1, 1, 2, 2, 2, 3, 3]), nuclei([9, 9, 9, 9, 9, 0, 9, 0])
    assert fact(truth, predicted, "errors") == [3, 1, 2, 0]  # of 3 it holds half only


def test_a_nucleus_is_split_when_two_predictions_lie_in_it_for_the_most_part():
    truth, predicted = nuclei([1, 1, 1, 1, 1, 0, 0]), nuclei([4, 4, 0, 5, 5, 5, 0])
    assert fact(truth, predicted, "errors") == [1, 2, 0, 1]
    assert fact(truth, nuclei([4, 4, 0, 0, 5, 5, 0]), "errors") == [1, 2, 0, 0]  # 5 lies in it by half


def test_a_nucleus_found_as_it_is_is_neither_merged_nor_split():
    assert fact(nuclei([1, 1, 2, 2]), nuclei([4, 4, 5, 5]), "errors") == [2, 2, 0, 0]


def test_nuclei_merge_across_classes_and_each_class_counts_its_own():
    truth, mask = nuclei([1, 1, 2, 2, 3]), np.array([[1, 1, 2, 2, 2]], np.uint8)
    found = counted(truth, mask, nuclei([8, 8, 8, 8, 7]), {8: 1, 7: 2}, "errors")["errors"]
    assert found.tolist() == [[3, 2, 2, 0], [1, 1, 1, 0], [2, 1, 1, 0]]


def test_pairs_count_by_the_size_of_the_true_nucleus_and_extra_ones_by_their_own():
    # True areas 3, 2 and 1; predicted 2 (of the first, IoU 2/3) and 4.
    truth, predicted = nuclei([1, 1, 1, 0, 2, 2, 3, 0, 0, 0, 0]), nuclei([5, 5, 0, 0, 0, 0, 0, 6, 6, 6, 6])
    found = sizes(overlaps(truth, predicted), [2.0, 3.0])
    assert found.tolist() == [[0, 0, 1, 0], [0, 0, 1, 0], [1, 1, 0, pytest.approx(2 / 3)]]


def test_edges_of_sizes_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="expected areas in ascending order"):
        sizes(overlaps(nuclei([1]), nuclei([1])), [50.0, 20.0])


# -- classes and annotation


def test_a_class_sees_its_own_nuclei_alone():
    truth, mask = nuclei([1, 1, 0, 2, 2, 2]), np.array([[1, 1, 0, 2, 2, 2]], np.uint8)
    predicted = nuclei([6, 6, 0, 7, 7, 0])
    found = counted(truth, mask, predicted, {6: 1, 7: 1}, "aggregated", "thresholds", "object_overlap")
    assert found["aggregated"].tolist() == [[4, 5, 4, 5], [2, 4, 2, 4], [0, 3, 0, 3]]
    assert found["thresholds"][:, :3].tolist() == [[2, 2, 2], [1, 2, 1], [1, 0, 0]]
    assert found["object_overlap"][2].tolist() == [0, 3, 0, 0]


def test_a_true_nucleus_on_background_counts_in_no_class():
    found = counted(nuclei([1, 1]), np.array([[0, 0]], np.uint8), nuclei([3, 3]), {3: 1}, "pairs", "errors")
    assert found["pairs"].tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert found["errors"][:, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", FACTS)
def test_what_lies_on_unannotated_ground_changes_no_fact(name):
    truth, predicted = discs(3), predicted_of(discs(3), 3)
    beyond = 40
    mask = (truth > 0).astype(np.uint8)
    mask[:, beyond:] = IGNORE
    inside = [
        np.where(np.isin(each, list(mostly_left(each, beyond))), each, 0).astype(np.int32)
        for each in (truth, predicted)
    ]
    assert 0 < len(np.unique(inside[0])) < len(np.unique(truth))
    found = counted(truth, mask, predicted, one_class(predicted), name, n_classes=2)[name]
    expected = counted(inside[0], mask, inside[1], one_class(predicted), name, n_classes=2)[name]
    np.testing.assert_array_equal(found, expected)


def mostly_left(instances: np.ndarray, beyond: int) -> set[int]:
    """Ids of nuclei with at least half of their pixels left of a column."""
    ids, areas = np.unique(instances[instances > 0], return_counts=True)
    left = [(instances[:, :beyond] == number).sum() for number in ids]
    return {int(number) for number, inside, area in zip(ids, left, areas, strict=True) if 2 * inside >= area}


def test_an_image_that_nobody_annotated_counts_nothing():
    mask = np.full((1, 4), IGNORE, np.uint8)
    found = counted(nuclei([1, 1, 0, 2]), mask, nuclei([5, 0, 6, 6]), {5: 1, 6: 1}, *FACTS)
    assert all(not values.any() for values in found.values())


# -- what must hold for any maps


@settings(max_examples=40, deadline=None)
@given(NUCLEI, NUCLEI, CLASSES, st.permutations([3, 70, 11, 1_000_000, 42]))
def test_new_ids_change_no_fact(truth, predicted, mask, new):
    ids = np.array([0, *new], np.int32)
    classes = {1: 1, 2: 2, 3: 1, 4: 2, 5: 0}
    renamed = {int(ids[number]): name for number, name in classes.items()}
    found = counted(truth, mask, predicted, classes, *FACTS)
    other = counted(ids[truth], mask, ids[predicted], renamed, *FACTS)
    for name in FACTS:
        np.testing.assert_array_equal(found[name], other[name], err_msg=name)


@settings(max_examples=40, deadline=None)
@given(NUCLEI, NUCLEI)
def test_truth_and_prediction_change_places_in_symmetric_facts(truth, predicted):
    found, swapped = count(truth, predicted), count(predicted, truth)
    assert found["pairs"][0, [0, 2, 1]].tolist() == swapped["pairs"][0, :3].tolist()
    assert found["thresholds"][0, [1, 0, *range(2, 12)]].tolist() == swapped["thresholds"][0].tolist()
    np.testing.assert_allclose(found["object_overlap"][0, [2, 3, 0, 1]], swapped["object_overlap"][0])
    assert found["centroids"][0, [0, 4, 3]].tolist() == swapped["centroids"][0, [0, 3, 4]].tolist()


@settings(max_examples=40, deadline=None)
@given(NUCLEI, NUCLEI, CLASSES)
def test_facts_agree_where_they_count_the_same(truth, predicted, mask):
    classes = {1: 1, 2: 2, 3: 1, 4: 2, 5: 0}
    found = counted(truth, mask, predicted, classes, *FACTS)
    np.testing.assert_array_equal(found["pairs"], pair_counts(truth, mask, predicted, classes, 3))
    tp, fp, fn, _ = found["pairs"].T
    np.testing.assert_array_equal(found["thresholds"][:, :3], np.stack([tp + fn, tp + fp, tp], axis=1))
    np.testing.assert_array_equal(found["errors"][:, :2], np.stack([tp + fn, tp + fp], axis=1))
    np.testing.assert_allclose(found["sizes"].sum(axis=0), found["pairs"][0])
    true, extra = found["centroids"][:, [0, 2, 4]].sum(axis=1), found["centroids"][:, [0, 1, 3]].sum(axis=1)
    np.testing.assert_array_equal([true, extra], [tp + fn, tp + fp])


@settings(max_examples=40, deadline=None)
@given(NUCLEI, NUCLEI)
def test_runs_cover_every_pixel_once_and_hold_one_value_each(truth, predicted):
    found = runs(truth, predicted)
    assert np.repeat(truth.ravel()[found.start], found.length).tolist() == truth.ravel().tolist()
    assert np.repeat(predicted.ravel()[found.start], found.length).tolist() == predicted.ravel().tolist()
    assert (found.start % 8 + found.length <= 8).all()  # none goes on in the next row


# -- what is refused


def test_an_unknown_fact_is_refused():
    with pytest.raises(ValueError, match="hold 'pears'; expected any of pairs, aggregated"):
        count(nuclei([1]), nuclei([1]), "pears")


def test_a_predicted_class_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="predicted nucleus 4 is of class 3; expected 0 to 1"):
        counted(nuclei([1]), np.array([[1]], np.uint8), nuclei([4]), {4: 3}, "pairs", n_classes=2)


def test_a_mask_of_a_class_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="mask holds class 5; expected 0 to 1"):
        counted(nuclei([1]), np.array([[5]], np.uint8), nuclei([0]), {}, "pairs", n_classes=2)
