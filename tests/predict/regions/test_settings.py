"""Lengths in micrometres become whole pixels, and what makes no sense is refused with its cure."""

from dataclasses import replace

import pytest

from histoloom.errors import InputError
from histoloom.predict.regions.settings import RegionPlan, RegionSettings, plan_regions

OFF = RegionSettings("none", 0.0, 0.0, 0.0, 0.0, 0.0, "um")


def plan(mpp=0.5, **changed):
    return plan_regions(replace(OFF, **changed), mpp, 0, "slide 7")


def test_all_off_is_as_predicted_with_or_without_a_pixel_size():
    assert plan_regions(OFF, None, 30, "") == RegionPlan(min_area_px=30)
    assert plan(None).halo_px == 0
    assert not plan(None).looks_at_areas


def test_lengths_scale_with_the_pixel_and_areas_with_its_square():
    found = plan(kernel="gaussian", kernel_size=2.0, opening=3.0, closing=1.5, hole_area=100.0, min_region_area=50.1)
    assert (found.sigma, found.kernel_reach) == (4.0, 12)
    assert (found.opening_squared, found.closing_squared) == (36, 9)
    assert (found.hole_px, found.min_region_px) == (400, 201)  # up to 400 are filled; 50.1 µm² are 200.4 pixels
    assert found.halo_px == 12 + 2 * 6 + 2 * 3


@pytest.mark.parametrize(("size", "reach"), [(0.25, 1), (0.7, 1), (0.75, 2), (5.0, 10)])
def test_half_sides_are_rounded_to_whole_pixels(size, reach):
    assert plan(kernel="median", kernel_size=size).kernel_reach == reach


def test_areas_that_are_whole_pixels_stay_so():
    # 3 pixels of 0.1 µm are 0.03 µm², which in binary fractions is a little less or more.
    found = plan(0.1, hole_area=0.03, min_region_area=0.03)
    assert (found.hole_px, found.min_region_px) == (3, 3)


def test_pixels_need_no_pixel_size():
    found = plan(None, unit="px", opening=3.0, min_region_area=7.0)
    assert (found.opening_squared, found.min_region_px) == (9, 7)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kernel": "box", "kernel_size": 1.0}, "kernel is 'box'; expected one of none, gaussian, mean, median"),
        ({"unit": "mm"}, "unit is 'mm'; expected one of um, px"),
        ({"closing": -1.0}, r"closing is -1\.0; expected 0 or more"),
        ({"hole_area": float("nan")}, "hole_area is nan; expected 0 or more"),
        ({"kernel": "mean"}, r"kernel is mean and kernel_size 0\.0; expected a kernel with a size"),
        ({"kernel_size": 2.0}, r"kernel is none and kernel_size 2\.0; .* none with size 0"),
        (
            {"kernel": "median", "kernel_size": 80.0},
            r"slide 7: .* kernel_size 80\.0 um reaches over 160 px; expected 1",
        ),
        ({"kernel": "mean", "kernel_size": 0.2}, r"kernel_size 0\.2 um reaches over 0 px"),
        ({"opening": 0.4}, r"opening 0\.4 um reaches over 0 px; expected 1 to 127 px; change it"),
    ],
)
def test_what_makes_no_sense_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        plan(**changed)


def test_micrometres_without_a_pixel_size_are_refused_with_both_cures():
    with pytest.raises(InputError, match=r"slide 7: .* not known; .* state the dataset's mpp, or .* unit: px"):
        plan(None, hole_area=5.0)
