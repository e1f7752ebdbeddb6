"""Each step on regions does by hand what it says: kernels, opening, closing, holes, small regions, small patches."""

import numpy as np
import pytest
from scipy import ndimage

from histoloom.predict.regions.class_map import class_regions, write_regions
from histoloom.predict.regions.morphology import disc
from histoloom.predict.regions.settings import RegionPlan
from histoloom.predict.regions.smoothing import gaussian_weights, smoothed
from tests.predict.discs import as_probabilities


def as_map(text):
    """Class digits, a row a word; . is background, # is 255."""
    return np.array([[{".": 0, "#": 255}.get(each, each) for each in row] for row in text.split()], int).astype(
        np.uint8
    )


def cleaned(text, **plan):
    """The map after steps on certain probabilities; # is not looked at."""
    classes, bands = as_map(text), {}
    probabilities = as_probabilities(np.where(classes == 255, 0, classes), 4)
    inside = classes != 255
    write_regions(
        lambda first, last: probabilities[first:last],
        [(0, len(classes))],
        RegionPlan(**plan),
        bands,
        inside=lambda first, last: inside[first:last],
        outside=255,
    )
    return bands[0]


def same(found, text):
    return np.array_equal(found, as_map(text))


@pytest.mark.parametrize(("sigma", "reach"), [(0.4, 1), (1.0, 3), (2.6, 8), (10.0, 30), (42.0, 126)])
def test_the_gaussians_weights_are_those_of_scipy_to_one_part_in_4096(sigma, reach):
    impulse = np.zeros(2 * reach + 1)
    impulse[reach] = 1
    expected = 4096 * ndimage.gaussian_filter1d(impulse, sigma, radius=reach)
    weights = gaussian_weights(sigma, reach)
    assert weights.sum() == 4096
    assert np.array_equal(weights, weights[::-1])
    assert np.abs(weights - expected).max() <= 1


@pytest.mark.parametrize("sigma", [0.8, 3.0, 9.0])
def test_the_gaussian_is_scipys_to_half_a_grey_level(sigma):
    plane = np.random.default_rng(0).integers(0, 256, (90, 100), dtype=np.uint8)
    reach = int(3 * sigma + 0.5)
    found = smoothed(plane[None], RegionPlan("gaussian", sigma, reach))[0] / (16 * 4096)
    expected = ndimage.gaussian_filter(plane.astype(float), sigma, radius=reach)[reach:-reach, reach:-reach]
    assert np.abs(found - expected).max() < 0.5


def test_mean_and_median_are_of_a_square():
    plane = np.zeros((1, 5, 5), np.uint8)
    plane[0, 1:3, 1:4] = [[9, 50, 30], [200, 7, 255]]
    assert smoothed(plane, RegionPlan("mean", 0.0, 2)).tolist() == [[[551]]]
    assert smoothed(plane, RegionPlan("median", 0.0, 1)).tolist() == [[[0, 9, 0], [0, 9, 0], [0, 0, 0]]]


def test_smoothing_turns_a_lone_pixel_into_its_surroundings_up_to_the_edge():
    classes = np.zeros((9, 9), np.uint8)
    classes[4, 4] = classes[0, 0] = 1
    plan = RegionPlan("mean", 0.0, 1)
    # At the corner the pixel repeats beyond the edge: 4 of the 9 pixels of its square are it, and 5 are not.
    assert not class_regions(as_probabilities(classes, 2), plan).any()
    classes[0, 1] = 1  # now 6 of 9 around the corner, and in no other square more than 4
    assert np.argwhere(class_regions(as_probabilities(classes, 2), plan)).tolist() == [[0, 0]]


def test_equal_sums_go_to_the_first_class():
    level = np.full((6, 6, 3), 85, np.uint8)
    level[..., 0] = 80
    for kernel in ("gaussian", "mean", "median"):
        assert (class_regions(level, RegionPlan(kernel, 1.0, 3)) == 1).all()


@pytest.mark.parametrize(("squared", "pixels"), [(0, 1), (1, 5), (2, 9), (4, 13), (5, 21), (9, 29), (25, 81)])
def test_a_disc_has_the_lattice_points_of_its_circle(squared, pixels):
    assert disc(squared).sum() == pixels  # Gauss's circle problem, OEIS A057655


def test_opening_takes_what_is_narrower_than_the_disc_and_keeps_what_holds_one():
    text = "......... ..111.... ..1111111 ..111.... ........."
    assert same(cleaned(text, opening_squared=2), "......... ..111.... ..111.... ..111.... .........")


def test_what_opening_takes_goes_to_the_next_most_probable_class():
    probabilities = np.full((7, 7, 4), (200, 0, 0, 0), np.uint8)
    probabilities[3] = (90, 100, 0, 95)
    found = class_regions(probabilities, RegionPlan(opening_squared=1))
    assert (found[3] == 3).all() and not np.delete(found, 3, axis=0).any()
    probabilities[3] = (95, 100, 0, 95)
    assert not class_regions(probabilities, RegionPlan(opening_squared=1)).any()


def test_closing_bridges_background_and_takes_nothing_from_another_class():
    text = "......... .111.111. .111.111. .111.111. ........."
    assert same(cleaned(text, closing_squared=2), "......... .1111111. .1111111. .1111111. .........")
    text = "......... .1112111. .111.111. .1113111. ........."
    assert same(cleaned(text, closing_squared=2), "......... .1112111. .1111111. .1113111. .........")


def test_of_two_classes_that_close_over_a_pixel_the_more_probable_gains_it():
    probabilities = as_probabilities(np.pad(as_map(".2. 1.1 .2."), 2), 3)
    for values, gains in (((200, 20, 30), 2), ((200, 30, 30), 1)):
        probabilities[3, 3] = values
        assert class_regions(probabilities, RegionPlan(closing_squared=2))[3, 3] == gains


def test_holes_take_the_class_of_their_longest_border():
    text = "11111111 1..1111. 1..1222. 1112.222 11122222"
    # Four pixels that class 1 encloses; one with two edges to each class, the first gets it; two at the image's edge.
    assert same(
        cleaned(text, hole_px=4), "11111111 1111111. 1111222. 11121222 11122222".replace("11121222", "11122222")
    )
    assert same(cleaned(text, hole_px=3), "11111111 1..1111. 1..1222. 11122222 11122222")


def test_a_gap_that_touches_what_nobody_looked_at_is_no_hole():
    assert same(cleaned("11111 1.#11 11111 11.11 11111", hole_px=9), "11111 1.#11 11111 11111 11111")


def test_a_diagonal_opens_no_hole():
    assert same(cleaned("1111. 111.1 11.11 11111", hole_px=1), "1111. 11111 11111 11111")


def test_small_regions_go_to_their_longest_border_with_something_larger():
    text = "........ .222222. .211122. .233322. .222222. ......3."
    # 1 and 3 touch each other along three edges, but neither counts, for both are small.
    assert same(cleaned(text, min_region_px=4), "........ .222222. .222222. .222222. .222222. ........")
    assert same(cleaned(text, min_region_px=3), "........ .222222. .211122. .233322. .222222. ........")


def test_what_only_small_regions_enclose_waits_for_them():
    text = "1111111 1122211 1123211 1122211 1111111"
    assert same(cleaned(text, min_region_px=9), "1111111 1111111 1111111 1111111 1111111")


def test_where_there_is_nothing_larger_small_regions_are_background():
    assert same(cleaned("1122 #233", min_region_px=9), ".... #...")


def test_foreground_patches_count_with_all_their_classes():
    assert same(cleaned("12..3 .2..3", min_area_px=3), "12... .2...")


def test_what_is_not_looked_at_parts_regions_and_stays():
    assert same(cleaned("11#11 11#1. #####", min_region_px=4), "11#.. 11#.. #####")


def test_the_setting_of_what_lies_outside_changes_nothing_inside():
    random = np.random.default_rng(3)
    probabilities, inside = random.integers(0, 256, (40, 30, 3), np.uint8), random.random((40, 30)) < 0.9
    plan, found = RegionPlan("median", 0.0, 1, 1, 1, 5, 6, 7), []
    for outside in (0, 255):
        bands = {}
        rows = (lambda a, b: probabilities[a:b], [(0, 40)], plan, bands)
        write_regions(*rows, inside=lambda a, b: inside[a:b], outside=outside)
        assert (bands[0][~inside] == outside).all()
        found.append(bands[0][inside])
    assert np.array_equal(*found)
