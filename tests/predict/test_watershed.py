"""Nuclei by their outline: touching ones stay apart, patches stay whole, thresholds are exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from histoloom.errors import InputError
from histoloom.postprocessors.watershed import watershed
from histoloom.predict.foreground import connected_patches, foreground_mask
from histoloom.predict.postprocess import without_small
from histoloom.predict.regions.class_map import class_regions
from histoloom.predict.regions.settings import RegionPlan
from tests.predict.discs import discs, noise_patches, split


def test_two_overlapping_discs_stay_apart_at_their_neck():
    # Radius 10, centres 16 apart: the neck is at column 28, half as wide as sqrt(100 - 64) = 6 against 10.
    mask = discs((40, 60), [(20, 20), (20, 36)], 10)
    nuclei = split(mask)
    assert nuclei.max() == 2
    assert np.array_equal(nuclei > 0, mask)
    columns = np.arange(60)[None].repeat(40, axis=0)
    left, right = nuclei == nuclei[20, 20], nuclei == nuclei[20, 36]
    assert not (left & right).any()
    assert left[mask & (columns < 28)].all()
    assert right[mask & (columns > 28)].all()


def test_discs_nearer_than_the_least_distance_are_one():
    assert split(discs((40, 60), [(20, 20), (20, 36)], 10), 17).max() == 1


def test_nearly_concentric_discs_are_one():
    # Centres 4 apart: half neck sqrt(100 - 4) = 9.8 against 10.
    assert split(discs((40, 60), [(20, 20), (20, 24)], 10), 3).max() == 1


def test_a_long_bar_is_one_nucleus():
    mask = np.zeros((30, 80), bool)
    mask[10:19, 5:75] = True
    assert split(mask).max() == 1


def test_a_nucleus_cut_by_the_border_is_one():
    assert split(discs((40, 40), [(0, 20)], 12)).max() == 1


@pytest.mark.parametrize(("mask", "count"), [(np.zeros((8, 9), bool), 0), (np.ones((8, 9), bool), 1)])
def test_empty_and_full_images(mask, count):
    nuclei = split(mask)
    assert nuclei.max() == count
    assert np.array_equal(nuclei > 0, mask)


def test_one_pixel_is_a_nucleus_unless_it_is_too_small():
    mask = np.zeros((9, 9), bool)
    mask[4, 5] = True
    assert split(mask)[4, 5] == 1
    assert np.array_equal(without_small(split(mask), 0), split(mask))
    assert np.array_equal(without_small(split(mask), 1), split(mask))
    assert without_small(split(mask), 2).max() == 0


def test_small_nuclei_beside_a_large_one_are_kept_apart():
    mask = discs((40, 40), [(20, 15)], 10)
    mask[20, 27] = True  # disc ends at column 24; the pixel lies in the shade of the disc, yet is its own patch
    nuclei = split(mask, 20)
    assert nuclei.max() == 2
    assert (nuclei == nuclei[20, 27]).sum() == 1


def test_ids_have_no_gaps_after_small_ones_are_left_out():
    mask = discs((30, 90), [(15, 15), (15, 75)], 8)
    mask[15, 45] = True
    nuclei = without_small(split(mask), 5)
    assert sorted(np.unique(nuclei)) == [0, 1, 2]
    assert nuclei[15, 45] == 0


@given(seed=st.integers(0, 10**6), share=st.floats(0, 1), min_distance=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_nuclei_divide_up_the_foreground(seed, share, min_distance):
    mask = noise_patches(seed, share)
    nuclei = split(mask, min_distance)
    assert np.array_equal(nuclei > 0, mask)
    assert np.array_equal(np.unique(nuclei[mask]), np.arange(1, nuclei.max() + 1))
    for number in range(1, nuclei.max() + 1):
        assert ndimage.label(nuclei == number)[1] == 1


@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_patches_are_those_of_scipy(seed, share):
    mask = noise_patches(seed, share)
    patches, count = connected_patches(mask)
    expected, expected_count = ndimage.label(mask)
    assert count == expected_count
    assert np.array_equal(patches, expected)


def test_of_three_classes_those_but_background_count_together():
    # 0.4, 0.3, 0.3: background is the most probable class, yet 0.6 is the probability of anything else.
    probabilities = np.full((5, 5, 3), (102, 77, 76), np.uint8)
    assert not class_regions(probabilities, RegionPlan()).any()
    assert watershed(probabilities, None, foreground=0.6).all()
    assert not watershed(probabilities, None, foreground=0.61).any()


@pytest.mark.parametrize("percent", range(1, 101))
def test_the_threshold_is_exact_in_255ths(percent):
    # A probability of k / 255 is at least the threshold when 100 k >= 255 percent, which is a matter of whole numbers.
    background = np.arange(256, dtype=np.uint8)
    probabilities = np.stack([background, 255 - background], axis=-1)[None]
    expected = [100 * (255 - int(value)) >= 255 * percent for value in background]
    assert foreground_mask(probabilities, percent / 100)[0].tolist() == expected


@pytest.mark.parametrize("options", [{"foreground": 0.0}, {"foreground": 1.1}, {"min_distance_px": 0}])
def test_options_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(InputError, match=f"option {name}={value}; expected .*; see predict.method_options"):
        watershed(np.zeros((4, 4, 2), np.uint8), None, **options)
