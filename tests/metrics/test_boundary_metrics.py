"""Boundary metrics: by hand on literal masks, against MONAI and all distances at once, and what missing classes get."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice
from scipy import ndimage
from scipy.spatial.distance import cdist

from histoloom.evaluate.counting.boundary import surface_counts
from histoloom.metrics.asd import asd
from histoloom.metrics.hd95 import hd95
from histoloom.metrics.nsd import nsd

torch.set_num_threads(1)
NAN = np.nan


def scores(truth, predicted, n_classes=3, spacing=1.0, tolerance=1.0):
    boundary, hausdorff = surface_counts(
        np.asarray(truth, np.uint8), np.asarray(predicted, np.uint8), n_classes, spacing, tolerance
    )
    return np.concatenate([hd95(hausdorff[None]), asd(boundary[None]), nsd(boundary[None])])


def blobs(seed, size=96):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(2, size, size)), (0, 6, 6))
    noise[1] = 0.8 * noise[0] + 0.6 * noise[1]  # the prediction is like the truth, not the same
    return np.digitize(noise, np.quantile(noise, [0.6, 0.85])).astype(np.uint8)


def square(place, side=4):
    mask = np.zeros((16, 16), np.uint8)
    mask[place[0] : place[0] + side, place[1] : place[1] + side] = 1
    return mask


def test_a_shifted_square_by_hand():
    # The 12 boundary pixels of each, 2 columns apart: the near sides are inside the other square, 1 from its edge.
    boundary, hausdorff = surface_counts(square((4, 4)), square((4, 6)), 2, spacing=0.5, tolerance=0.5)
    # Rows 4 and 7 of the truth: columns 4 to 7 are 2, 1, 0, 0 from the other's; rows 5 and 6: columns 4 and 7, 2 and 1.
    distances_px = 2 * [2, 1, 0, 0] + 2 * [2, 1]
    expected = [24, 2 * sum(d <= 1 for d in distances_px), 2 * 0.5 * sum(distances_px), 1]
    assert boundary.tolist() == [expected, expected]
    assert hausdorff.tolist() == [[1.0], [1.0]]


def test_the_percentile_is_between_the_two_farthest_points():
    truth, predicted = np.zeros((1, 30), np.uint8), np.zeros((1, 30), np.uint8)
    truth[0, :11], predicted[0, 0] = 1, 1
    # Truth's points are 0 to 10 px away: 95 % lies half-way between 9 and 10; the other direction is 0.
    assert scores(truth, predicted, 2)[0].tolist() == [9.5, 9.5]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spacing", [1.0, 0.25])
def test_scores_agree_with_monai(seed, spacing):
    truth, predicted = blobs(seed)
    tolerance = 1.7 * spacing  # no two pixels are that far apart, so that rounding decides nothing
    ours = scores(truth, predicted, 3, spacing, tolerance)
    rows = [lambda mask: mask > 0, lambda mask: mask == 1, lambda mask: mask == 2]
    maps = [torch.from_numpy(np.stack([row(mask) for row in rows])[None]) for mask in (predicted, truth)]
    theirs = [
        compute_hausdorff_distance(*maps, include_background=True, percentile=95, spacing=spacing),
        compute_average_surface_distance(*maps, include_background=True, symmetric=True, spacing=spacing),
        compute_surface_dice(*maps, include_background=True, class_thresholds=[tolerance] * 3, spacing=spacing),
    ]
    np.testing.assert_allclose(ours, torch.cat(theirs).numpy(), rtol=1e-5)


def small_masks():
    values = st.sampled_from([0, 0, 1, 1, 2, 255])
    predicted = arrays(np.uint8, (7, 9), elements=st.integers(0, 2))
    return st.tuples(arrays(np.uint8, (7, 9), elements=values), predicted)


def edges(mask):
    return np.argwhere(mask & ~ndimage.binary_erosion(mask))


@given(small_masks(), st.sampled_from([0.0, 1.0, 1.5, 3.0]))
@settings(deadline=None, max_examples=40)
def test_counts_equal_those_from_all_distances_of_all_pixels(masks, tolerance):
    truth, predicted = masks
    boundary, hausdorff = surface_counts(truth, predicted, 3, 1.0, tolerance)
    for row, is_in in enumerate([lambda mask: mask > 0, lambda mask: mask == 1, lambda mask: mask == 2]):
        true, found = (edges(is_in(mask) & (truth != 255)) for mask in (truth, predicted))
        if len(true) and len(found):
            away = cdist(true, found)
            directed = away.min(axis=1), away.min(axis=0)
            each = np.concatenate(directed)
            expected = [len(each), (each <= tolerance).sum(), each.sum(), 1]
            np.testing.assert_allclose(boundary[row], expected, rtol=1e-12)
            assert hausdorff[row, 0] == pytest.approx(max(np.percentile(one, 95) for one in directed))
        else:
            points = len(true) + len(found)
            expected = [points, 0, points * np.hypot(7, 9), points > 0]
            np.testing.assert_allclose(boundary[row], expected, rtol=1e-12)
            np.testing.assert_allclose(hausdorff[row, 0], np.hypot(7, 9) if points else NAN)


@given(small_masks())
@settings(deadline=None, max_examples=25)
def test_the_same_mask_is_nowhere_off(masks):
    truth, predicted = masks
    distance, mean, share = scores(truth, np.where(truth == 255, predicted, truth), tolerance=0.0)
    has_class = np.array([np.isin(truth, kinds).any() for kinds in ([1, 2], [1], [2])])
    np.testing.assert_array_equal(distance, np.where(has_class, 0, NAN))
    np.testing.assert_array_equal(mean, np.where(has_class, 0, NAN))
    np.testing.assert_array_equal(share, np.where(has_class, 1, NAN))


@given(small_masks())
@settings(deadline=None, max_examples=25)
def test_it_does_not_matter_which_of_two_is_the_truth(masks):
    truth, predicted = (np.where(masks[0] == 255, 0, mask) for mask in masks)
    np.testing.assert_allclose(scores(truth, predicted), scores(predicted, truth), rtol=1e-12)


@given(small_masks(), arrays(np.uint8, (7, 9), elements=st.integers(0, 2)))
@settings(deadline=None, max_examples=25)
def test_what_is_predicted_where_nobody_annotated_never_counts(masks, other):
    truth, predicted = masks
    elsewhere = np.where(truth == 255, other, predicted)
    np.testing.assert_array_equal(scores(truth, predicted), scores(truth, elsewhere))


@given(small_masks())
@settings(deadline=None, max_examples=25)
def test_renumbering_classes_renumbers_scores_and_leaves_all_foreground_as_it_is(masks):
    swapped = [np.array([0, 2, 1, *[255] * 253], np.uint8)[mask] for mask in masks]
    np.testing.assert_array_equal(scores(*masks)[:, [0, 2, 1]], scores(*swapped))


@given(small_masks())
@settings(deadline=None, max_examples=25)
def test_the_row_of_all_foreground_is_that_of_the_classes_merged(masks):
    merged = [np.where(mask == 2, 1, mask).astype(np.uint8) for mask in masks]
    np.testing.assert_array_equal(scores(*masks)[:, [0, 0]], scores(*merged, n_classes=2))


def test_distances_are_in_the_unit_of_the_spacing():
    truth, predicted = blobs(5)
    in_pixels, in_um = scores(truth, predicted), scores(truth, predicted, spacing=0.5, tolerance=0.5)
    np.testing.assert_allclose(in_um[:2], in_pixels[:2] / 2)
    np.testing.assert_array_equal(in_um[2], in_pixels[2])


@pytest.mark.parametrize(("spacing", "tolerance", "within"), [(0.1, 0.3, 1), (1.0, 3.0, 1), (1.0, 2.999, 0)])
def test_the_tolerance_itself_is_near_however_the_product_is_rounded(spacing, tolerance, within):
    truth, predicted = np.array([[1, 0, 0, 0]]), np.array([[0, 0, 0, 1]])
    assert scores(truth, predicted, 2, spacing, tolerance)[2].tolist() == [within, within]


EMPTY, FULL = np.zeros((3, 4), np.uint8), np.ones((3, 4), np.uint8)
PIXEL = np.eye(3, 4, dtype=np.uint8) * np.array([[1], [0], [0]], np.uint8)
UNKNOWN = np.full((3, 4), 255, np.uint8)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        (EMPTY, EMPTY, (NAN, NAN, NAN)),
        (PIXEL, EMPTY, (2.5, 2.5, 0)),  # 3 x 4 px of 0.5 µm have a diagonal of 2.5 µm
        (EMPTY, PIXEL, (2.5, 2.5, 0)),
        (EMPTY, FULL, (2.5, 2.5, 0)),
        (PIXEL, PIXEL, (0, 0, 1)),
        (FULL, FULL, (0, 0, 1)),
        (UNKNOWN, FULL, (NAN, NAN, NAN)),
    ],
)
def test_empty_full_and_one_pixel_masks_have_stated_scores(truth, predicted, expected):
    np.testing.assert_array_equal(scores(truth, predicted, 2, 0.5, 9.0), np.array([expected, expected]).T)


def test_the_border_of_the_image_bounds_a_region():
    boundary, _ = surface_counts(FULL, FULL, 2, 1.0, 0.0)
    assert boundary[0].tolist() == [2 * (12 - 2), 20, 0, 1]  # all but the two pixels in the middle


def test_what_nobody_annotated_bounds_a_region():
    truth = np.ones((5, 5), np.uint8)
    truth[2, 2] = 255
    boundary, _ = surface_counts(truth, np.ones_like(truth), 2, 1.0, 0.0)
    assert boundary[0].tolist() == [2 * (16 + 4), 40, 0, 1]


def test_a_class_alone_in_one_image_is_as_far_off_as_that_image_is_wide_when_facts_are_added_up():
    found, _ = surface_counts(square((4, 4)), square((4, 4)), 2, 1.0, 1.0)
    missed, _ = surface_counts(square((4, 4)), np.zeros((16, 16), np.uint8), 2, 1.0, 1.0)
    pooled = (found + missed)[None]
    assert asd(pooled)[0, 1] == pytest.approx(12 * np.hypot(16, 16) / 36)
    assert nsd(pooled)[0, 1] == pytest.approx(24 / 36)
    assert pooled[0, 1, 3] == 2
