"""Nuclei are paired by IoU > 0.5, whatever their ids; two libraries and the hand agree on the pairs."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics.panoptic_quality import compute_panoptic_quality
from scipy.optimize import linear_sum_assignment

from histoloom.evaluate.counting.matching import match, nucleus_classes, overlaps, pair_counts
from histoloom.sample import IGNORE

NUCLEI = arrays(np.int32, (6, 8), elements=st.integers(0, 5))


def nuclei(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


def square(row: int, column: int, side: int = 10, number: int = 1, size: int = 40) -> np.ndarray:
    canvas = np.zeros((size, size), np.int32)
    canvas[row : row + side, column : column + side] = number
    return canvas


def random_nuclei(seed: int, count: int = 25, size: int = 64) -> np.ndarray:
    rng, canvas = np.random.default_rng(seed), np.zeros((size, size), np.int32)
    for number in range(1, count + 1):
        row, column = rng.integers(0, size - 8, 2)
        canvas[row : row + rng.integers(3, 9), column : column + rng.integers(3, 9)] = number
    return canvas


def shaken(truth: np.ndarray, seed: int) -> np.ndarray:
    """Nuclei moved by a pixel and some of them lost: good, poor and missing predictions at once."""
    lost = np.random.default_rng(seed).integers(1, 26, 5)
    return np.where(np.isin(truth, lost), 0, np.roll(truth, 1, axis=seed % 2)).astype(np.int32)


def iou_table(truth: np.ndarray, predicted: np.ndarray) -> tuple[list[int], list[int], np.ndarray]:
    truth_ids, predicted_ids = (np.unique(each[each > 0]).tolist() for each in (truth, predicted))
    table = np.zeros((len(truth_ids), len(predicted_ids)))
    for row, column in np.ndindex(table.shape):
        true, found = truth == truth_ids[row], predicted == predicted_ids[column]
        table[row, column] = (true & found).sum() / (true | found).sum()
    return truth_ids, predicted_ids, table


def test_overlaps_of_a_small_map_equal_hand_counts():
    table = overlaps(nuclei([1, 1, 4, 0], [1, 0, 4, 4]), nuclei([9, 9, 9, 0], [0, 2, 2, 2]))
    assert table.truth_ids.tolist() == [1, 4]
    assert table.predicted_ids.tolist() == [2, 9]
    assert table.truth_area.tolist() == [3, 3]
    assert table.predicted_area.tolist() == [3, 3]
    shared = zip(table.truth.tolist(), table.predicted.tolist(), table.pixels.tolist(), strict=True)
    assert sorted(shared) == [(0, 1, 2), (1, 0, 2), (1, 1, 1)]


def test_more_pairs_of_ids_than_pixels_are_counted_as_well():
    pairs = np.repeat(np.arange(1, 401, dtype=np.int32).reshape(20, 20), 2, axis=1)
    table = overlaps(pairs, pairs[::-1].copy())
    assert table.pixels.tolist() == [2] * 400
    for row, column in zip(table.truth, table.predicted, strict=True):
        assert set(pairs[::-1][pairs == table.truth_ids[row]]) == {table.predicted_ids[column]}


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_a_square_shifted_by_less_than_a_third_is_found_with_its_iou(shift):
    found = match(square(5, 5), square(5, 5 + shift, number=8))
    assert found.truth.tolist() == [1]
    assert found.predicted.tolist() == [8]
    assert found.iou[0] == pytest.approx((10 - shift) / (10 + shift))


def test_a_square_shifted_further_is_missed_and_is_extra():
    found = match(square(5, 5), square(5, 9, number=8))  # IoU 6 / 14
    assert not found.truth.size
    assert found.false_positives.tolist() == [8]
    assert found.false_negatives.tolist() == [1]


def test_an_iou_of_exactly_one_half_is_no_match():
    assert not match(nuclei([1, 1, 0]), nuclei([1, 0, 0])).truth.size
    assert not match(square(0, 0, 9), square(0, 3, 9)).truth.size  # 54 / 108
    assert match(nuclei([1, 1, 1]), nuclei([1, 1, 0])).truth.size  # 2 / 3


@pytest.mark.parametrize(
    ("truth", "predicted", "extra", "missed"),
    [
        ([0, 0], [0, 0], [], []),
        ([0, 0], [3, 0], [3], []),
        ([0, 5], [0, 0], [], [5]),
    ],
)
def test_empty_maps_pair_nothing(truth, predicted, extra, missed):
    found = match(nuclei(truth), nuclei(predicted))
    assert found.iou.size == 0
    assert found.false_positives.tolist() == extra
    assert found.false_negatives.tolist() == missed


def test_a_map_without_a_pixel_pairs_nothing():
    assert match(np.zeros((0, 3), np.int32), np.zeros((0, 3), np.int32)).truth.size == 0


def test_one_pixel_is_a_nucleus():
    assert match(nuclei([4]), nuclei([9])).iou.tolist() == [1.0]


def test_maps_without_background_pair_touching_nuclei():
    found = match(nuclei([1, 1, 1, 2, 2, 2]), nuclei([7, 7, 7, 7, 3, 3]))
    assert list(zip(found.truth.tolist(), found.predicted.tolist(), strict=True)) == [(1, 7), (2, 3)]
    assert found.iou.tolist() == [3 / 4, 2 / 3]


def test_ids_up_to_a_million_are_as_good_as_small_ones():
    found = match(nuclei([1_000_000, 1_000_000, 0, 17]), nuclei([2, 2, 0, 999_999]))
    assert found.truth.tolist() == [17, 1_000_000]
    assert found.predicted.tolist() == [999_999, 2]


def test_negative_ids_are_refused():
    with pytest.raises(ValueError, match="reach down to -1"):
        match(nuclei([-1, 0]), nuclei([1, 0]))


@given(NUCLEI)
def test_a_map_matches_itself(truth):
    found = match(truth, truth)
    assert found.truth.tolist() == found.predicted.tolist() == np.unique(truth[truth > 0]).tolist()
    assert (found.iou == 1).all()


@given(NUCLEI, NUCLEI, st.permutations([3, 70, 11, 500, 42]))
def test_new_ids_change_no_pair(truth, predicted, new):
    ids = np.array([0, *new], np.int32)
    found, renamed = match(truth, predicted), match(truth, ids[predicted])
    as_pairs = dict(zip(found.truth.tolist(), zip(ids[found.predicted], found.iou, strict=True), strict=True))
    assert as_pairs == dict(zip(renamed.truth.tolist(), zip(renamed.predicted, renamed.iou, strict=True), strict=True))
    assert sorted(ids[found.false_positives]) == renamed.false_positives.tolist()


@given(NUCLEI, NUCLEI)
def test_swapping_truth_and_prediction_swaps_the_errors(truth, predicted):
    found, swapped = match(truth, predicted), match(predicted, truth)
    assert found.false_positives.tolist() == swapped.false_negatives.tolist()
    assert sorted(found.iou) == sorted(swapped.iou)


@pytest.mark.parametrize("seed", range(4))
def test_pairs_agree_with_the_best_assignment_of_scipy(seed):
    truth = random_nuclei(seed)
    predicted = shaken(truth, seed)
    truth_ids, predicted_ids, table = iou_table(truth, predicted)
    chosen = zip(*linear_sum_assignment(-np.where(table > 0.5, table, 0)), strict=True)
    expected = {(truth_ids[row], predicted_ids[column]): table[row, column] for row, column in chosen}
    expected = {pair: iou for pair, iou in expected.items() if iou > 0.5}
    found = match(truth, predicted)
    pairs = zip(found.truth.tolist(), found.predicted.tolist(), strict=True)
    assert expected
    assert dict(zip(pairs, found.iou, strict=True)) == pytest.approx(expected)
    assert len(found.false_positives) == len(predicted_ids) - len(expected)
    assert len(found.false_negatives) == len(truth_ids) - len(expected)


@pytest.mark.parametrize("seed", range(4))
def test_panoptic_quality_agrees_with_monai(seed):
    truth = random_nuclei(seed)
    predicted = shaken(truth, seed)
    maps = [torch.from_numpy(each.astype(np.int64)) for each in (predicted, truth)]
    tp, fp, fn, iou = pair_counts(
        truth, (truth > 0).astype(np.uint8), predicted, dict.fromkeys(np.unique(predicted).tolist(), 1), 2
    )[0]
    assert tp > 0
    assert iou / (tp + fp / 2 + fn / 2) == pytest.approx(float(compute_panoptic_quality(*maps)), abs=1e-5)


def test_the_class_of_a_nucleus_is_that_of_most_of_its_pixels_and_the_lower_in_a_tie():
    mask = np.array([[2, 2, 1, 1, 2, 0]], np.uint8)
    assert nucleus_classes(nuclei([6, 6, 6, 3, 3, 9]), mask, 3) == {3: 1, 6: 2, 9: 0}


def test_a_nucleus_mostly_unannotated_has_no_class_and_one_half_annotated_has():
    mask = np.array([[IGNORE, IGNORE, 1, IGNORE, 1]], np.uint8)
    assert nucleus_classes(nuclei([1, 1, 1, 2, 2]), mask, 2) == {1: IGNORE, 2: 1}


def test_a_class_beyond_the_datasets_is_refused():
    with pytest.raises(ValueError, match="mask holds class 5; expected 0 to 1"):
        nucleus_classes(nuclei([1]), np.array([[5]], np.uint8), 2)


def test_a_nucleus_found_as_another_class_is_missed_in_one_and_extra_in_the_other():
    truth = nuclei([1, 1, 0, 2, 2, 0, 3, 3])
    mask = np.array([[1, 1, 0, 2, 2, 0, 1, 1]], np.uint8)
    predicted = nuclei([5, 5, 0, 6, 6, 7, 0, 0])
    counts = pair_counts(truth, mask, predicted, {5: 1, 6: 1, 7: 2}, 3)
    assert counts.tolist() == [[2, 1, 1, 2.0], [1, 1, 1, 1.0], [0, 1, 1, 0.0]]


def test_nuclei_mostly_on_unannotated_ground_are_left_out():
    mask = np.array([[1, 1, 0, IGNORE, IGNORE, 0, IGNORE, 1]], np.uint8)
    truth = nuclei([1, 1, 0, 0, 0, 0, 0, 0])
    predicted = nuclei([4, 4, 0, 8, 8, 8, 9, 9])  # 8 lies 2 of 3 on 255, 9 only half
    counts = pair_counts(truth, mask, predicted, {4: 1, 8: 1, 9: 1}, 2)
    assert counts.tolist() == [[1, 1, 0, 1.0], [1, 1, 0, 1.0]]


def test_a_true_nucleus_on_unannotated_ground_is_not_missed():
    counts = pair_counts(nuclei([1, 1, 2]), np.array([[IGNORE, IGNORE, 1]], np.uint8), nuclei([0, 0, 0]), {}, 2)
    assert counts.tolist() == [[0, 0, 1, 0], [0, 0, 1, 0]]


def test_a_predicted_nucleus_without_a_class_is_refused():
    with pytest.raises(ValueError, match="predicted nucleus 3 has no class"):
        pair_counts(nuclei([1]), np.array([[1]], np.uint8), nuclei([3]), {}, 2)


def test_two_thousand_nuclei_in_a_large_tile_take_well_under_a_second():
    # A loop over pairs takes some 20 s here; the bound is loose because test machines are shared.
    truth = np.kron(np.arange(1, 46 * 46 + 1, dtype=np.int32).reshape(46, 46), np.ones((22, 22), np.int32))
    start = time.perf_counter()
    found = match(truth, np.roll(truth, 3, axis=1))
    assert time.perf_counter() - start < 2
    assert len(found.truth) == 46 * 46
