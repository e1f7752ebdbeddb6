"""Pixels are counted by true and predicted class, and unannotated ones never."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from histoloom.evaluate.counting.confusion import confusion_matrix, foreground
from histoloom.sample import IGNORE


def mask(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)


def test_rows_are_truth_and_columns_prediction():
    truth, predicted = mask([0, 0, 1], [1, 2, 2]), mask([0, 1, 1], [1, 2, 0])
    assert confusion_matrix(truth, predicted, 3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]


def test_unannotated_pixels_never_count():
    assert confusion_matrix(mask([IGNORE, 1]), mask([1, 1]), 2).tolist() == [[0, 0], [0, 1]]


def test_an_image_without_annotation_counts_nothing():
    assert confusion_matrix(mask([IGNORE, IGNORE]), mask([0, 1]), 2).sum() == 0


def test_an_empty_image_counts_nothing():
    assert confusion_matrix(np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8), 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("truth", [0, IGNORE])
def test_a_prediction_of_no_class_is_refused(truth):
    with pytest.raises(ValueError, match="prediction holds class 2; expected 0 to 1"):
        confusion_matrix(mask([truth]), mask([2]), 2)


def test_a_truth_of_no_class_is_refused():
    with pytest.raises(ValueError, match="truth holds class 7; expected 0 to 1 or 255"):
        confusion_matrix(mask([7, 0]), mask([0, 0]), 2)


@given(arrays(np.uint8, (2, 5, 7), elements=st.sampled_from([0, 1, 2, 3])), arrays(np.bool_, (5, 7)))
def test_every_annotated_pixel_counts_once(maps, is_ignored):
    truth, predicted = np.where(is_ignored, np.uint8(IGNORE), maps[0]), maps[1]
    counts = confusion_matrix(truth, predicted, 4)
    assert counts.sum() == (~is_ignored).sum()
    for true, found in np.ndindex(4, 4):
        assert counts[true, found] == ((truth == true) & (predicted == found)).sum()


def test_foreground_classes_merge_and_may_be_mistaken_for_each_other():
    counts = np.array([[[9, 1, 2], [3, 4, 5], [6, 7, 8]], [[1, 0, 0], [0, 0, 2], [0, 0, 0]]])
    assert foreground(counts).tolist() == [[[9, 3], [9, 24]], [[1, 0], [0, 2]]]


def test_merging_equals_counting_merged_masks():
    truth, predicted = np.random.default_rng(0).integers(0, 4, (2, 9, 9)).astype(np.uint8)
    merged = confusion_matrix((truth > 0).astype(np.uint8), (predicted > 0).astype(np.uint8), 2)
    assert (foreground(confusion_matrix(truth, predicted, 4)) == merged).all()
