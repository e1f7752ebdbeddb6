"""Every pixel of an agreement map says what became of its nucleus, or of itself, and codes add up to the counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from histoloom.evaluate.counting.agreement_map import NUCLEUS_CODES, PIXEL_CODES, nucleus_agreement, pixel_agreement
from histoloom.evaluate.counting.confusion import confusion_matrix
from histoloom.evaluate.counting.matching import match
from histoloom.sample import IGNORE
from tests.evaluate.counting.drawn_nuclei import count, discs, nuclei, predicted_of

BACKGROUND, FOUND, MISSED, FALSE, SPLIT, MERGED = range(6)
NUCLEI = arrays(np.int32, (6, 8), elements=st.integers(0, 5))


def test_codes_are_named_in_order():
    assert NUCLEUS_CODES[FOUND] == "found"
    assert NUCLEUS_CODES[MERGED] == "merged"
    assert len(NUCLEUS_CODES) == 6
    assert PIXEL_CODES[4] == "confused class"


def test_of_a_pair_only_what_both_cover_is_found():
    truth, predicted = nuclei([1, 1, 1, 1, 0, 0]), nuclei([0, 6, 6, 6, 6, 0])
    assert nucleus_agreement(truth, predicted).tolist() == [[0, FOUND, FOUND, FOUND, 0, 0]]


def test_missed_and_false_nuclei_are_told_apart():
    assert nucleus_agreement(nuclei([1, 1, 0, 0]), nuclei([0, 0, 4, 4])).tolist() == [[MISSED, MISSED, FALSE, FALSE]]


def test_a_missed_nucleus_covers_the_false_one_that_touches_it():
    # IoU 1 / 5: no pair.
    assert nucleus_agreement(nuclei([1, 1, 1, 0, 0]), nuclei([0, 0, 4, 4, 4])).tolist() == [[2, 2, 2, 3, 3]]


def test_a_nucleus_cut_into_pieces_is_split():
    truth, predicted = nuclei([1, 1, 1, 1, 0]), nuclei([4, 4, 5, 5, 5])
    assert nucleus_agreement(truth, predicted).tolist() == [[SPLIT, SPLIT, SPLIT, SPLIT, FALSE]]


def test_a_nucleus_that_has_a_pair_is_found_though_a_piece_of_it_was_cut_off():
    truth, predicted = nuclei([1, 1, 1, 1]), nuclei([4, 4, 4, 5])
    assert nucleus_agreement(truth, predicted).tolist() == [[FOUND, FOUND, FOUND, FALSE]]


def test_nuclei_run_together_are_merged_and_the_largest_may_still_be_found():
    truth = nuclei([1, 1, 1, 1, 1, 2, 2])
    assert nucleus_agreement(truth, nuclei([7] * 7)).tolist() == [[FOUND] * 5 + [MERGED] * 2]
    assert nucleus_agreement(nuclei([1, 1, 2, 2]), nuclei([7] * 4)).tolist() == [[MERGED] * 4]


def test_a_nucleus_both_merged_and_split_is_merged():
    truth = nuclei([1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    predicted = nuclei([4, 5, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7])
    assert nucleus_agreement(truth, predicted)[0, 0] == MERGED


@pytest.mark.parametrize("seed", range(3))
def test_codes_of_a_made_image_equal_its_counts(seed):
    truth, predicted = discs(seed), predicted_of(discs(seed), seed)
    codes, found = nucleus_agreement(truth, predicted), match(truth, predicted)
    for true, other in zip(found.truth, found.predicted, strict=True):
        assert (codes[(truth == true) & (predicted == other)] == FOUND).all()
    for number in found.false_negatives:
        assert set(codes[truth == number].tolist()) <= {MISSED, SPLIT, MERGED}
        assert len(set(codes[truth == number].tolist())) == 1
    errors = count(truth, predicted, "errors")["errors"][0]
    assert len(np.unique(truth[codes == MERGED])) <= errors[2]
    assert len(np.unique(truth[codes == SPLIT])) <= errors[3]
    assert (codes == FALSE).any() == bool(len(found.false_positives))


@settings(max_examples=40, deadline=None)
@given(NUCLEI)
def test_a_map_agrees_with_itself(truth):
    assert (nucleus_agreement(truth, truth) == (truth > 0)).all()


@settings(max_examples=40, deadline=None)
@given(NUCLEI, NUCLEI, st.permutations([3, 70, 11, 1_000_000, 42]))
def test_new_ids_change_no_code(truth, predicted, new):
    ids = np.array([0, *new], np.int32)
    assert (nucleus_agreement(truth, predicted) == nucleus_agreement(truth, ids[predicted])).all()
    assert (nucleus_agreement(truth, predicted) == nucleus_agreement(ids[truth], predicted)).all()


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_a_map_without_a_pixel_has_no_code(shape):
    empty = np.zeros(shape, np.int32)
    assert nucleus_agreement(empty, empty).shape == shape


@pytest.mark.parametrize(("truth", "predicted", "code"), [(0, 0, 0), (3, 0, MISSED), (0, 3, FALSE), (9, 3, FOUND)])
def test_one_pixel_is_a_nucleus_or_none(truth, predicted, code):
    assert nucleus_agreement(nuclei([truth]), nuclei([predicted])).tolist() == [[code]]


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2, IGNORE])),
    arrays(np.uint8, (5, 7), elements=st.integers(0, 2)),
)
def test_pixels_of_each_code_add_up_to_the_confusion_matrix(truth, predicted):
    codes, counts = pixel_agreement(truth, predicted), confusion_matrix(truth, predicted, 3)
    found = [int((codes == code).sum()) for code in range(5)]
    right = counts[1, 1] + counts[2, 2]
    confused = counts[1, 2] + counts[2, 1]
    assert found == [counts[0, 0], right, counts[1:, 0].sum(), counts[0, 1:].sum(), confused]
    assert ((codes == IGNORE) == (truth == IGNORE)).all()


def test_a_prediction_without_a_class_is_refused():
    with pytest.raises(ValueError, match="prediction holds 255; expected a class"):
        pixel_agreement(np.zeros((1, 1), np.uint8), np.full((1, 1), IGNORE, np.uint8))
