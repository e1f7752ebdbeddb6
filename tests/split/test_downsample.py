"""One pixel for each block: mean colours, most frequent classes, and nuclei that stay where the mask keeps them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from histoloom.split.downsample import downsampled_image, downsampled_instances, downsampled_length, downsampled_mask


def random_mask(height, width, seed):
    return np.random.default_rng(seed).choice(np.array([0, 1, 2, 255], np.uint8), (height, width))


def slow_ids(instances, mask, factor):
    """The definition, block by block: nuclei against annotated background, then the id with most pixels, the first."""
    height, width = (downsampled_length(length, factor) for length in mask.shape)
    small = np.zeros((height, width), int)
    padding = [(0, -length % factor) for length in mask.shape]
    instances, mask = (np.pad(values, padding, mode="symmetric") for values in (instances, mask))
    for row, column in np.ndindex(height, width):
        block = np.s_[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        nuclei = instances[block][instances[block] > 0].tolist()
        if nuclei and len(nuclei) >= ((instances[block] == 0) & (mask[block] != 255)).sum():
            small[row, column] = max(dict.fromkeys(nuclei), key=nuclei.count)
    return small


def test_image_blocks_are_averaged():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :2, 0] = [[10, 20], [30, 40]]
    image[:, 2:, 1] = [[0, 0], [0, 200]]
    np.testing.assert_array_equal(downsampled_image(image, 2), [[[25, 0, 0], [0, 50, 0]]])


def test_a_partial_block_is_averaged_with_its_mirror():
    image = np.zeros((3, 3, 3), np.uint8)
    image[2, :, 0] = [100, 100, 60]
    small = downsampled_image(image, 2)
    assert small.shape == (2, 2, 3)
    assert small[1, 0, 0] == 100
    assert small[1, 1, 0] == 60  # its one pixel, repeated


def test_mask_blocks_take_the_most_frequent_class():
    mask = np.array(
        [
            [1, 1, 2, 2, 255, 255, 255, 255],
            [1, 0, 1, 1, 1, 2, 0, 255],
        ],
        np.uint8,
    )
    #  1 wins by 3:1; 2 and 1 tie; half annotated with 1 and 2 tied; three of four unannotated
    np.testing.assert_array_equal(downsampled_mask(mask, 2), [[1, 2, 2, 255]])


def test_a_partial_mask_block_counts_its_own_pixels():
    mask = np.array([[0, 0, 1], [0, 0, 255], [255, 2, 3]], np.uint8)
    np.testing.assert_array_equal(downsampled_mask(mask, 2), [[0, 1], [2, 3]])


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 7))
def test_downsampling_rounds_sizes_up_and_keeps_plain_areas(height, width, factor):
    image, mask = np.full((height, width, 3), 77, np.uint8), np.full((height, width), 4, np.uint8)
    small, small_mask = downsampled_image(image, factor), downsampled_mask(mask, factor)
    assert small_mask.shape == small.shape[:2] == (-(-height // factor), -(-width // factor))
    assert small_mask.shape == (downsampled_length(height, factor), downsampled_length(width, factor))
    assert (small == 77).all()
    assert (small_mask == 4).all()


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 5), st.integers(0, 99))
def test_downsampling_makes_no_new_class(height, width, factor, seed):
    mask = random_mask(height, width, seed)
    assert set(np.unique(downsampled_mask(mask, factor))) <= set(np.unique(mask))


def test_blocks_take_the_nucleus_with_most_pixels_where_nuclei_are_half_of_what_is_known():
    instances = np.array(
        [
            [5, 5, 0, 9, 0, 0, 0, 4, 0, 0],
            [8, 0, 9, 0, 0, 3, 0, 0, 8, 6],
        ],
        np.int32,
    )
    mask = np.where(instances > 0, 1, 0).astype(np.uint8)
    mask[:, 6] = mask[1, 7] = 255  # of the fourth block one pixel is annotated, and it is nucleus 4
    #  5 by 2:1; half of 9; one of four is too little, two are enough and the first of equals, 8, is taken
    np.testing.assert_array_equal(downsampled_instances(instances, mask, 2), [[5, 9, 0, 4, 8]])


def test_a_partial_block_counts_the_nuclei_of_its_own_pixels():
    instances = np.array([[0, 0, 7], [0, 0, 0], [3, 65535, 2**30]], np.int32)
    np.testing.assert_array_equal(downsampled_instances(instances, np.ones((3, 3), np.uint8), 2), [[0, 7], [3, 2**30]])


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.integers(0, 999))
def test_nuclei_at_a_lower_resolution_follow_their_definition(height, width, factor, seed):
    rng = np.random.default_rng(seed)
    mask = rng.choice(np.array([0, 1, 2, 255], np.uint8), (height, width))
    instances = rng.choice(np.array([0, 0, 3, 4, 70000], np.int32), (height, width))
    np.testing.assert_array_equal(downsampled_instances(instances, mask, factor), slow_ids(instances, mask, factor))


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 5), st.integers(0, 99))
def test_a_nucleus_is_there_wherever_the_mask_keeps_foreground(height, width, factor, seed):
    mask = random_mask(height, width, seed)
    is_foreground = (mask > 0) & (mask < 255)
    ids = np.random.default_rng(seed).integers(1, 5, mask.shape, dtype=np.int32) * is_foreground
    small, small_mask = downsampled_instances(ids, mask, factor), downsampled_mask(mask, factor)
    assert small.shape == small_mask.shape
    assert (small[(small_mask > 0) & (small_mask < 255)] > 0).all()
    assert set(np.unique(small)) <= {0, *np.unique(ids)}
