"""Horizontal and vertical maps of nuclei: on arrays for the eye, on a disc, and against a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from histoloom.train.data.instance_maps import instance_maps


def ids(rows):
    return np.array(rows, np.int32)


def blobs(seed, size=(40, 50), share=0.4):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(size), 1.5)
    return ndimage.label(noise < np.quantile(noise, share))[0].astype(np.int32)


def disc(size, centre, radius):
    rows, columns = np.mgrid[:size, :size]
    return ((rows - centre) ** 2 + (columns - centre) ** 2 <= radius**2).astype(np.int32)


def plainly(instances):
    """One nucleus after the other, as the definition reads."""
    maps = np.zeros((2, *instances.shape))
    for number in set(instances[instances > 0].tolist()):
        inside = instances == number
        row, column = ndimage.center_of_mass(inside)
        for channel, (places, centre) in enumerate(zip(np.nonzero(inside)[::-1], (column, row), strict=True)):
            values = places - centre
            for side in (values < 0, values > 0):
                values[side] /= np.abs(values[side]).max(initial=0) or 1
            maps[channel][inside] = values
    return maps


def test_a_lopsided_nucleus_by_hand():
    # Columns 0 to 3, four pixels in the first row, one at column 0 in each of the next two: centre of mass at
    # column 6 / 6 = 1 and row 3 / 6 = 0.5. To the left lies one column, to the right two; half a row above, 1.5 below.
    instances = ids([[5, 5, 5, 5], [5, 0, 0, 0], [5, 0, 0, 0]])
    horizontal, vertical = instance_maps(instances)
    assert horizontal == pytest.approx(np.array([[-1, 0, 0.5, 1], [-1, 0, 0, 0], [-1, 0, 0, 0]]))
    assert vertical == pytest.approx(np.array([[-1, -1, -1, -1], [1 / 3, 0, 0, 0], [1, 0, 0, 0]]))


def test_two_touching_nuclei_jump_from_one_to_minus_one():
    horizontal, vertical = instance_maps(ids([[1, 1, 1, 2, 2]]))
    assert horizontal.tolist() == [[-1, 0, 1, -1, 1]]
    assert not vertical.any()


def test_a_disc_rises_evenly_from_border_to_border():
    instances = disc(31, 15, 10)
    rows, columns = np.mgrid[:31, :31]
    horizontal, vertical = instance_maps(instances)
    assert horizontal == pytest.approx(np.where(instances, (columns - 15) / 10, 0), abs=1e-6)
    assert vertical == pytest.approx(np.where(instances, (rows - 15) / 10, 0), abs=1e-6)


@pytest.mark.parametrize(
    ("instances", "horizontal", "vertical"),
    [
        ([[0, 0], [0, 3]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        ([[0, 0, 0], [2, 2, 2]], [[0, 0, 0], [-1, 0, 1]], [[0, 0, 0], [0, 0, 0]]),
        ([[0, 2], [0, 2], [0, 2]], [[0, 0], [0, 0], [0, 0]], [[0, -1], [0, 0], [0, 1]]),
    ],
    ids=["one pixel", "one row", "one column"],
)
def test_degenerate_nuclei_are_zero_on_the_side_that_they_lack(instances, horizontal, vertical):
    assert instance_maps(ids(instances)).tolist() == [horizontal, vertical]


def test_a_nucleus_cut_by_the_border_is_scaled_by_what_is_seen():
    assert instance_maps(ids([[1, 1, 1, 1, 1]])[:, :3])[0].tolist() == [[-1, 0, 1]]


def test_background_alone_gives_zeros():
    maps = instance_maps(np.zeros((5, 7), np.int32))
    assert maps.shape == (2, 5, 7)
    assert maps.dtype == np.float32
    assert not maps.any()


@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_maps_are_those_of_a_plain_loop(seed, share):
    instances = blobs(seed, share=share)
    assert instance_maps(instances) == pytest.approx(plainly(instances), abs=1e-6)


def test_a_nucleus_in_two_pieces_is_one():
    instances = ids([[4, 4, 0, 4], [0, 7, 7, 0], [4, 0, 0, 0]])
    assert instance_maps(instances) == pytest.approx(plainly(instances), abs=1e-6)


@pytest.mark.parametrize(("axis", "channel"), [(1, 0), (0, 1)])
def test_a_mirrored_image_has_the_mirrored_map_with_the_sign_turned(axis, channel):
    instances = blobs(3)
    mirrored = np.flip(instance_maps(np.flip(instances, axis)), axis + 1)
    expected = instance_maps(instances)
    expected[channel] *= -1
    assert mirrored == pytest.approx(expected, abs=1e-6)


def test_ids_may_have_gaps_and_be_large():
    instances = blobs(5)
    far = np.random.default_rng(0).permutation(2**20)[: instances.max() + 1].astype(np.int32) + 1
    far[0], far[1] = 0, 2**31 - 1
    assert np.array_equal(instance_maps(far[instances]), instance_maps(instances))


def test_every_wide_nucleus_reaches_minus_one_and_one():
    instances = blobs(7)
    maps = instance_maps(instances)
    for number in range(1, instances.max() + 1):
        for channel, places in enumerate(np.nonzero(instances == number)[::-1]):
            values = maps[channel][instances == number]
            reached = (values.min(), values.max())
            assert reached == pytest.approx((-1, 1) if np.ptp(places) else (0, 0), abs=1e-6)
