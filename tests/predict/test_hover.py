"""HoVer-Net's post-processing on maps that are right by geometry: it parts what the outline alone cannot."""

import inspect

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.postprocessors.hover import hover
from histoloom.postprocessors.watershed import watershed
from histoloom.predict.probabilities import quantised, quantised_maps
from histoloom.train.data.instance_maps import instance_maps

ROWS, COLUMNS = np.mgrid[:60, :80]


def disc(row, column, radius):
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def two_discs(down, right, radius=10):
    """Discs whose centres are (down, right) apart, parted by the straight line half-way."""
    first, second = disc(20, 20, radius), disc(20 + down, 20 + right, radius)
    is_beyond = (ROWS - 20) * down + (COLUMNS - 20) * right > (down**2 + right**2) / 2
    return np.where(first | second, 1 + is_beyond, 0).astype(np.int32)


def rectangles(*boxes):
    instances = np.zeros(ROWS.shape, np.int32)
    for number, (top, bottom, left, right) in enumerate(boxes, start=1):
        instances[top:bottom, left:right] = number
    return instances


def perfect(instances):
    """The probabilities and maps that a network without error would give."""
    foreground = (instances > 0).astype(np.float32)
    maps = quantised_maps(np.ascontiguousarray(np.moveaxis(instance_maps(instances), 0, -1)))
    return quantised(np.stack([1 - foreground, foreground], axis=-1)), maps


def same_nuclei(found, truth):
    """Whether both maps have the same nuclei, whatever their ids."""
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]), axis=1)
    return pairs.shape[1] == len(np.unique(truth)) == len(np.unique(found))


OUTLINE_SAYS_NOTHING = {
    "discs 8 px apart": two_discs(0, 8),
    "discs 8 px apart, one below the other": two_discs(8, 0),
    "discs 6 px apart both ways": two_discs(6, 6),
    "a bar of three": rectangles((12, 26, 10, 26), (12, 26, 26, 42), (12, 26, 42, 58)),
    "a square of four": rectangles((10, 30, 10, 30), (10, 30, 30, 50), (30, 50, 10, 30), (30, 50, 30, 50)),
}


@pytest.mark.parametrize("name", OUTLINE_SAYS_NOTHING)
def test_touching_nuclei_are_parted_exactly_where_a_watershed_of_distances_fails(name):
    truth = OUTLINE_SAYS_NOTHING[name]
    assert watershed(*perfect(truth)).max() == 1
    found = hover(*perfect(truth))
    assert same_nuclei(found, truth)
    assert np.array_equal(np.unique(found), np.arange(truth.max() + 1))


def test_one_large_nucleus_is_one():
    assert same_nuclei(hover(*perfect(disc(30, 40, 28).astype(np.int32))), disc(30, 40, 28))


def test_apart_nuclei_of_all_sizes_are_found_though_the_small_have_no_marker():
    truth = np.where(disc(30, 25, 18), 1, 0).astype(np.int32)
    truth[5:8, 60:63], truth[40, 70] = 2, 3
    assert same_nuclei(hover(*perfect(truth)), truth)


def test_a_smaller_kernel_parts_smaller_nuclei():
    truth = rectangles((20, 29, 20, 29), (20, 29, 29, 38))
    probabilities, maps = perfect(truth)
    assert hover(probabilities, maps, kernel_px=21).max() == 1
    assert same_nuclei(hover(probabilities, maps, kernel_px=5), truth)


def test_markers_below_the_least_size_part_nothing():
    truth = two_discs(0, 8)
    probabilities, maps = perfect(truth)
    assert hover(probabilities, maps, min_marker_px=0).max() == 2
    assert hover(probabilities, maps, min_marker_px=int((truth > 0).sum())).max() == 1


def test_foreground_below_the_threshold_belongs_to_no_nucleus():
    truth = two_discs(0, 8)
    probabilities, maps = perfect(truth)
    probabilities[truth == 2] = (255 - 140, 140)  # 140 / 255 = 0.549
    assert same_nuclei(hover(probabilities, maps, foreground=0.54), truth)
    assert np.array_equal(hover(probabilities, maps, foreground=0.56) > 0, truth == 1)


@pytest.mark.parametrize("whole", [True, False], ids=["all foreground", "all background"])
def test_flat_maps_part_nothing(whole):
    probabilities = np.zeros((9, 12, 2), np.uint8)
    probabilities[..., int(whole)] = 255
    found = hover(probabilities, np.zeros((9, 12, 2), np.int8))
    assert np.array_equal(found, np.full((9, 12), int(whole)))


def test_without_maps_the_cure_is_named():
    with pytest.raises(InputError, match=r"the network has no instance maps; expected .*; train with a loss of the"):
        inspect.unwrap(hover)(np.zeros((4, 4, 2), np.uint8), None)


def test_maps_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"maps of \(4, 5\) pixels; expected \(4, 4\) as probabilities"):
        inspect.unwrap(hover)(np.zeros((4, 4, 2), np.uint8), np.zeros((4, 5, 2), np.int8))


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("edge", 0.0, "above 0 and at most 1"),
        ("edge", 1.5, "above 0 and at most 1"),
        ("kernel_px", 20, "an odd number from 3 to 31"),
        ("kernel_px", 33, "an odd number from 3 to 31"),
        ("min_marker_px", -1, "0 or more"),
        ("foreground", 0.0, "above 0 and at most 1"),
    ],
)
def test_options_out_of_range_are_refused(option, value, expected):
    with pytest.raises(InputError, match=f"option {option}={value}; expected {expected}"):
        hover(np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 2), np.int8), **{option: value})
