"""Class regions equal their slow definition byte by byte, whatever bands the rows are cut into."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from histoloom.predict.regions import neighbourhood, patches
from histoloom.predict.regions.class_map import class_regions, write_regions
from histoloom.predict.regions.settings import RegionPlan
from tests.predict.regions import regions_by_definition

KERNELS = [
    {},
    {"kernel": "gaussian", "sigma": 0.7, "kernel_reach": 2},
    {"kernel": "gaussian", "sigma": 1.4, "kernel_reach": 4},
    {"kernel": "mean", "kernel_reach": 2},
    {"kernel": "median", "kernel_reach": 1},
    {"kernel": "median", "kernel_reach": 4},
]
PLANS = st.builds(
    lambda kernel, **areas: RegionPlan(**kernel, **areas),
    st.sampled_from(KERNELS),
    opening_squared=st.sampled_from([0, 1, 2, 5]),
    closing_squared=st.sampled_from([0, 1, 4]),
    hole_px=st.sampled_from([0, 1, 6, 40]),
    min_region_px=st.sampled_from([0, 2, 9, 50]),
    min_area_px=st.sampled_from([0, 1, 12, 90]),
)
SIDES = st.integers(1, 34)


def blotches(seed, height, width, classes):
    """Probabilities with patches of all sizes; few levels, so that many are equal."""
    random = np.random.default_rng(seed)
    fine = random.integers(0, 4, (height, width, classes))
    coarse = random.integers(0, 5, (height // 5 + 1, width // 5 + 1, classes)).repeat(5, 0).repeat(5, 1)
    return ((fine + coarse[:height, :width]) * random.choice([20, 36])).astype(np.uint8)


def tissue(seed, height, width):
    random = np.random.default_rng([seed, 1])
    return (random.random((height // 7 + 1, width // 7 + 1)) < 0.7).repeat(7, 0).repeat(7, 1)[:height, :width]


def cut(height, heights):
    """Spans of the given heights over and over, as far as the image goes."""
    ends = np.cumsum(np.resize(heights, height)).clip(max=height)
    edges = [0, *dict.fromkeys(ends.tolist())]
    return list(itertools.pairwise(edges))


@settings(max_examples=60, deadline=None)
@example(4, 1, 2, RegionPlan(min_region_px=2), 0)  # what OpenCV takes for a scalar
@given(SIDES, SIDES, st.integers(2, 4), PLANS, st.integers(0, 99))
def test_an_images_regions_are_what_the_definition_says(height, width, classes, plan, seed):
    probabilities = blotches(seed, height, width, classes)
    assert np.array_equal(class_regions(probabilities, plan), regions_by_definition.regions(probabilities, plan))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(SIDES, SIDES),
    PLANS,
    st.integers(0, 99),
    st.lists(st.integers(1, 20), min_size=1, max_size=4),
    st.integers(1, 40),
    st.sampled_from([0, 255]),
)
def test_bands_tiles_and_strips_change_no_byte(shape, plan, seed, heights, side, outside):
    probabilities, inside = blotches(seed, *shape, 3), tissue(seed, *shape)
    expected = regions_by_definition.regions(probabilities, plan, inside, outside)
    bands = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbourhood, "TILE_PX", side)
        patch.setattr(patches, "STRIP_PX", side * 7)
        write_regions(
            lambda first, last: probabilities[first:last],
            cut(shape[0], heights),
            plan,
            bands,
            inside=lambda first, last: inside[first:last],
            outside=outside,
        )
    assert np.array_equal(np.concatenate([bands[number] for number in range(len(bands))]), expected)
    assert (expected[~inside] == outside).all()


def test_each_row_is_read_once_in_order_and_only_as_far_ahead_as_the_halo():
    probabilities, asked = blotches(0, 90, 20, 3), []
    plan = RegionPlan(kernel="mean", kernel_reach=2, opening_squared=4, closing_squared=9)
    assert plan.halo_px == 2 + 2 * 2 + 2 * 3

    def rows(first, last):
        asked.append((first, last))
        return probabilities[first:last]

    write_regions(rows, cut(90, [30]), plan, {})
    assert asked == [(0, 42), (42, 72), (72, 90)]


def test_a_region_that_winds_through_all_bands_is_one():
    # A spiral: its windings lie side by side in every band, and only the last ones join them.
    image = np.zeros((41, 41), np.uint8)
    for ring in range(0, 18, 4):
        image[ring : 41 - ring, ring] = image[40 - ring, ring : 41 - ring] = 1
        image[ring + 2 : 41 - ring, 40 - ring] = image[ring + 2, ring + 4 : 41 - ring] = 1
        image[ring + 2 : ring + 5, ring + 4] = 1
    area = int(image.sum())
    probabilities = np.stack([255 - 255 * image, 255 * image], axis=-1).astype(np.uint8)
    for least, expected in ((area, image), (area + 1, image * 0)):
        bands = {}
        write_regions(lambda a, b: probabilities[a:b], cut(41, [3]), RegionPlan(min_region_px=least), bands)
        assert np.array_equal(np.concatenate(list(bands.values())), expected)


@pytest.mark.parametrize("least", range(0, 40, 6))
def test_no_region_below_the_least_and_no_hole_up_to_the_largest_is_left(least):
    plan = RegionPlan(hole_px=least, min_region_px=least)
    classes = class_regions(blotches(least, 60, 60, 4), plan)
    found = [mask.sum() for k in range(1, 4) for mask in regions_by_definition.patches(classes, k)]
    assert found and min(found) >= least
    gaps = regions_by_definition.patches(classes, 0)
    assert all(regions_by_definition.is_open(classes, gap) or gap.sum() > least for gap in gaps)
