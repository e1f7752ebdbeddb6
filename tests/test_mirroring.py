"""Parts beyond an image are what NumPy's padding by reflection gives, for images, masks and nucleus ids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.mirroring import COPY, mirrored_nuclei, mirrored_part

MARGIN = 150
sizes = st.integers(1, 30)
starts = st.integers(-100, 100)


def padded(pixels):
    return np.pad(pixels, [(MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)][: pixels.ndim], mode="reflect")


@given(size=st.tuples(sizes, sizes), start=st.tuples(starts, starts), part=st.tuples(sizes, sizes))
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, (3,)), (np.uint8, ()), (np.int32, ())])
def test_any_part_is_that_of_numpy(dtype, channels, size, start, part):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (*size, *channels), dtype, endpoint=True)
    (row, column), (height, width) = start, part
    expected = padded(pixels)[row + MARGIN :, column + MARGIN :][:height, :width]
    found = mirrored_part(pixels, row, column, height, width)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


def test_a_part_inside_is_a_view():
    pixels = np.zeros((9, 9), np.uint8)
    assert np.shares_memory(mirrored_part(pixels, 2, 3, 4, 5), pixels)


def test_only_the_part_that_is_shown_is_read():
    """A part beyond the right border shows columns near it: no more than them is copied."""
    pixels = np.zeros((10, 5000), np.uint8)
    part = mirrored_part(pixels, 0, 4990, 10, 20)
    assert part.base.shape[1] < 50


@given(
    size=st.tuples(st.integers(8, 30), st.integers(8, 30)),
    start=st.tuples(st.integers(-20, 20), st.integers(-20, 20)),
    part=st.tuples(sizes, sizes),
)
@settings(max_examples=100, deadline=None)
def test_copies_of_nuclei_are_nuclei_of_their_own_and_each_is_whole(size, start, part):
    ids = np.random.default_rng(0).integers(0, 4, size, np.int32)
    (row, column), (height, width) = start, part
    found = mirrored_nuclei(ids, row, column, height, width)
    np.testing.assert_array_equal(found % COPY, mirrored_part(ids, row, column, height, width))

    # By hand: pixel p lies in the image for 0 <= p < n, and in another copy for each n - 1 pixels further out.
    def copy(place, length):
        number, reach = 0, max(length - 1, 1)
        while place < 0:
            place, number = place + reach, number - 1
        while place > length - 1:
            place, number = place - reach, number + 1
        return number

    copies = {}
    for i, j in np.argwhere(found > 0):
        place = (copy(row + i, size[0]), copy(column + j, size[1]))
        assert copies.setdefault(found[i, j] // COPY, place) == place
        assert (found[i, j] // COPY == 0) == (place == (0, 0))


def test_ids_beyond_the_limit_are_numbered_anew():
    ids = np.array([[1 << 30, 0, 5]], np.int32)
    found = mirrored_nuclei(ids, 0, -2, 1, 5)
    assert found[0, 2] not in (found[0, 0], 0)
    assert found[0, 1] == 0 == found[0, 3]
    assert len({found[0, 0], found[0, 2], found[0, 4]}) == 3
