"""Which pixels become semi-ground truth, by hand on masks of a few pixels and by geometry on larger ones."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoloom.marks import is_marked, unmarked
from histoloom.rounds.acceptance import Census, Rule, distance_to_drawn, judged, marked
from histoloom.sample import IGNORE, PSEUDO

ANYTHING = Rule(smoothing_px=0.0, confidence=0.0, agreement=0.01, distance_px=0.0, class_share=1.0)


def of_foreground(values) -> np.ndarray:
    """Maps of two classes as bytes, of the bytes of the second."""
    second = np.atleast_2d(np.array(values, np.uint8))
    return np.stack([255 - second, second], axis=2)


def nothing_drawn(*shape: int) -> np.ndarray:
    return np.full(shape, IGNORE, np.uint8)


def accepted(images, class_count: int, rule: Rule) -> list[np.ndarray]:
    """The masks of some images, each given as (maps of its models, what people drew), as a round makes them."""
    judgements, census = [judged(maps, drawn, rule) for maps, drawn in images], Census(class_count)
    for judgement, (_, drawn) in zip(judgements, images, strict=True):
        census.count(judgement, drawn)
    caps = census.caps(rule.class_share)
    return [marked(judgement, drawn, caps) for judgement, (_, drawn) in zip(judgements, images, strict=True)]


def one(probabilities, drawn, **values) -> list[list[int]]:
    return accepted([(probabilities, np.array(drawn, np.uint8))], 2, replace(ANYTHING, **values))[0].tolist()


def test_a_pixel_is_accepted_from_the_confidence_on_and_marked_by_its_class():
    maps = of_foreground([[255, 230, 229, 0, 25, 26]])  # 0.9 is 229.5 of 255
    assert one([maps], nothing_drawn(1, 6), confidence=0.9) == [[129, 129, 255, 128, 128, 255]]


def test_a_pixel_of_exactly_the_confidence_is_accepted():
    assert one([of_foreground([[255, 254]])], nothing_drawn(1, 2), confidence=1.0) == [[129, 255]]


def test_what_people_drew_stays_whatever_the_models_say():
    drawn = [[0, 1, IGNORE]]
    assert one([of_foreground([[255, 0, 255]])], drawn) == [[0, 1, 129]]


def test_the_share_of_models_that_name_the_class_decides():
    # Three models; the mean is for the second class at both pixels: 510 and 600 of 765 are above one half.
    models = [of_foreground(row) for row in ([[255, 200]], [[255, 200]], [[0, 200]])]
    assert one(models, nothing_drawn(1, 2), agreement=2 / 3) == [[129, 129]]
    assert one(models, nothing_drawn(1, 2), agreement=0.7) == [[255, 129]]


def test_the_mean_of_the_models_names_the_class_and_not_their_majority():
    models = [of_foreground([[120]]), of_foreground([[120]]), of_foreground([[255]])]  # 495 of 765
    assert one(models, nothing_drawn(1, 1)) == [[129]]


def test_only_pixels_near_to_peoples_are_accepted():
    drawn = nothing_drawn(9, 9)
    drawn[4, 4] = 1
    mask = accepted([([of_foreground(np.full((9, 9), 255))], drawn)], 2, replace(ANYTHING, distance_px=3.0))[0]
    rows, columns = np.mgrid[-4:5, -4:5]
    assert np.array_equal(mask != IGNORE, rows**2 + columns**2 <= 9)
    assert mask[4, 4] == 1
    assert is_marked(mask).sum() == 28  # of the 29 lattice points in a disc of radius 3


def test_without_any_drawn_pixel_nothing_is_near():
    assert np.isinf(distance_to_drawn(nothing_drawn(2, 3))).all()
    assert one([of_foreground([[255, 255]])], nothing_drawn(1, 2), distance_px=100.0) == [[255, 255]]


def test_confidence_is_asked_for_after_smoothing():
    maps = np.zeros((21, 21), np.uint8)
    maps[10, 10] = 255  # a single sure pixel among sure ones of the other class
    mask = accepted([([of_foreground(maps)], nothing_drawn(21, 21))], 2, replace(ANYTHING, smoothing_px=2.0))[0]
    assert (mask == PSEUDO).all()


def test_smoothing_makes_the_border_between_classes_unsure_to_a_known_depth():
    maps = np.zeros((5, 60), np.uint8)
    maps[:, 30:] = 255
    rule = replace(ANYTHING, smoothing_px=4.0, confidence=0.9)
    mask = accepted([([of_foreground(maps)], nothing_drawn(5, 60))], 2, rule)[0]
    # The integral of the Gaussian reaches 0.9 at 1.2816 standard deviations: at 5.13 px from the edge at 29.5.
    unsure = np.flatnonzero(mask[2] == IGNORE)
    assert unsure.tolist() == list(range(25, 35))
    assert set(mask[2, :25]) == {PSEUDO}
    assert set(mask[2, 35:]) == {PSEUDO + 1}


def test_smoothing_leaves_what_is_the_same_everywhere():
    judgement = judged([of_foreground(np.full((7, 7), 255))], nothing_drawn(7, 7), replace(ANYTHING, smoothing_px=1.5))
    assert (judgement.level == 65535).all()


def test_the_surest_pixels_of_a_class_over_all_images_fill_its_cap():
    first, second = of_foreground([[255, 240, 200, 190]]), of_foreground([[250, 245, 10, 0]])
    images = [([maps], nothing_drawn(1, 4)) for maps in (first, second)]
    masks = accepted(images, 2, replace(ANYTHING, class_share=0.5))
    # Six pixels of the second class, three may be taken: 255, 250, 245. Two of the first, one may: that of 0.
    assert [mask.tolist() for mask in masks] == [[[129, 255, 255, 255]], [[129, 129, 255, 128]]]


def test_the_cap_counts_only_what_nobody_drew():
    maps = of_foreground([[255, 254, 253, 252]])
    assert one([maps], [[1, 1, 255, 255]], class_share=0.5) == [[1, 1, 129, 255]]


def test_equally_sure_pixels_share_the_places_at_even_distances():
    mask = one([of_foreground(np.full((2, 6), 255))], nothing_drawn(2, 6), class_share=0.25)
    assert mask == [[255, 255, 255, 129, 255, 255], [255, 129, 255, 255, 255, 129]]


def test_places_are_shared_across_images():
    images = [([of_foreground([[255, 255]])], nothing_drawn(1, 2)) for _ in range(2)]
    masks = accepted(images, 2, replace(ANYTHING, class_share=0.25))
    assert [mask.tolist() for mask in masks] == [[[255, 255]], [[255, 129]]]


@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 1.0), confidence=st.floats(0.0, 1.0))
def test_no_class_passes_its_cap_and_no_mark_is_less_sure_than_asked(seed, share, confidence):
    rng = np.random.default_rng(seed)
    maps = [rng.choice([0, 100, 128, 255], (4, 5)).astype(np.uint8) for _ in range(3)]
    drawn = [rng.choice([0, 1, 255, 255], (4, 5)).astype(np.uint8) for _ in range(3)]
    rule = replace(ANYTHING, class_share=share, confidence=confidence)
    masks = accepted([([of_foreground(each)], mask) for each, mask in zip(maps, drawn, strict=True)], 2, rule)
    second, free = np.stack(maps), np.stack(drawn) == IGNORE
    for index, sure in ((0, 255 - second), (1, second)):
        predicted = free & (second >= 128 if index else second < 128)
        taken = np.stack(masks) == PSEUDO + index
        assert taken.sum() <= share * predicted.sum() + 1e-6
        assert not (taken & ~predicted).any()
        assert (sure[taken] / 255 >= confidence - 1e-5).all()
    assert np.array_equal(np.stack(masks)[~free], np.stack(drawn)[~free])


def test_marks_are_taken_off_again():
    mask = np.array([[0, 1, PSEUDO, PSEUDO + 1, IGNORE]], np.uint8)
    assert unmarked(mask).tolist() == [[0, 1, 0, 1, IGNORE]]


def largest_memory(models: int) -> int:
    """Bytes that judging 300 x 300 px of four classes takes at most, with maps that are made as they are asked for."""

    def maps() -> Iterator[np.ndarray]:
        for seed in range(models):
            yield np.random.default_rng(seed).integers(0, 256, (300, 300, 4), np.uint8)

    drawn = nothing_drawn(300, 300)
    judged(maps(), drawn, replace(ANYTHING, smoothing_px=1.0))  # what is loaded but once
    tracemalloc.start()
    try:
        judged(maps(), drawn, replace(ANYTHING, smoothing_px=1.0))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_of_each_further_model_a_byte_a_pixel_is_kept():
    # Its map alone would be 4 bytes a pixel, and 16 as probabilities.
    assert (largest_memory(12) - largest_memory(4)) / (8 * 300 * 300) == pytest.approx(1, abs=0.1)
