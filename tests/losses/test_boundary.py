"""The boundary loss and the distances that it is made of, against hand, scipy and MONAI."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.losses import BoundaryLoss
from scipy.ndimage import distance_transform_edt

from histoloom.train.data.boundary_distances import signed_distances
from tests.losses.loss_case import example, per_image, random_output, target_of

torch.set_num_threads(1)


def test_distances_around_a_square_of_nine_pixels():
    mask = np.zeros((5, 7), np.uint8)
    mask[1:4, 1:4] = 1
    diagonal = np.sqrt(2)
    expected = [
        [diagonal, 1, 1, 1, diagonal, np.sqrt(5), np.sqrt(10)],
        [1, 0, 0, 0, 1, 2, 3],
        [1, 0, -1, 0, 1, 2, 3],
        [1, 0, 0, 0, 1, 2, 3],
        [diagonal, 1, 1, 1, diagonal, np.sqrt(5), np.sqrt(10)],
    ]
    found = signed_distances(mask, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[1], expected, rtol=1e-6)
    # Seen from the background the corner of the square is one pixel from it, and the tile's border is no edge.
    np.testing.assert_allclose(found[0][2], [0, 1, 2, 1, 0, -1, -2], rtol=1e-6)


def test_distances_are_those_of_scipy():
    mask = (np.random.default_rng(0).random((40, 53)) < 0.02).astype(np.uint8) + 2
    inside = mask == 3
    expected = distance_transform_edt(~inside) - np.maximum(distance_transform_edt(inside) - 1, 0)
    found = signed_distances(mask, 4)
    np.testing.assert_allclose(found[3], expected, rtol=1e-5)
    assert (found[3][inside] <= 0).all()
    assert (found[3][~inside] >= 1).all()


def test_a_class_that_is_nowhere_or_everywhere_has_no_distances():
    assert not signed_distances(np.ones((4, 6), np.uint8), 3).any()
    assert not signed_distances(np.full((4, 6), 255, np.uint8), 3).any()


def test_what_nobody_annotated_is_outside_of_every_class():
    found = signed_distances(np.array([[0, 0, 255, 1, 1]], np.uint8), 2)
    np.testing.assert_array_equal(found, [[[-1, 0, 1, 2, 3]], [[3, 2, 1, 0, -1]]])


def test_boundary_by_hand_on_two_rows_of_three_pixels():
    # Distances to class 1 are 2, 1, 0 in both rows, and the last pixel does not count; half is predicted everywhere:
    # (1 + 1/2 + 0 + 1 + 1/2) / 5
    target = target_of([[[0, 0, 1], [0, 0, 1]]])
    truth, annotated = target.truth.clone(), target.annotated.clone()
    truth[..., 1, 2] = annotated[..., 1, 2] = 0
    target = replace(target, truth=truth, annotated=annotated)
    assert per_image("boundary", torch.zeros(1, 2, 2, 3), target).item() == pytest.approx(3 / 5)


def test_boundary_by_hand_of_certain_predictions():
    # Class 1 on the three left of four pixels: distances -2, -1, 0, 1.
    target = target_of([[[1, 1, 1, 0]]])
    sure = 100 * target.truth
    assert per_image("boundary", sure, target).item() == pytest.approx(-3 / 4)
    assert per_image("boundary", -sure, target).item() == pytest.approx(1 / 4)


@pytest.mark.parametrize("size", [(6, 5), (31, 17)])
def test_boundary_is_monais_where_all_is_annotated(size):
    masks = torch.randint(0, 3, (2, *size), generator=torch.Generator().manual_seed(3))
    target = target_of(masks, classes=3)
    logits = random_output("boundary", target)
    expected = BoundaryLoss(include_background=False, softmax=True, reduction="none")(logits, target.truth).mean(1)
    torch.testing.assert_close(per_image("boundary", logits, target), expected)


def test_no_prediction_costs_less_than_a_perfect_one():
    target = example()
    lowest = per_image("boundary", 50 * target.truth - 25, target)
    for seed in range(20):
        assert (per_image("boundary", 10 * random_output("boundary", target, seed), target) >= lowest - 1e-5).all()


def test_a_wrong_prediction_costs_the_mean_distance_more_than_a_perfect_one():
    target = example(classes=2)
    perfect, wrong = (per_image("boundary", sign * (50 * target.truth - 25), target) for sign in (1, -1))
    # Where class 1 is, -distance is saved and not spent; elsewhere distance is spent and not saved.
    distances = (target.distances[:, 1:] * target.annotated).abs().sum((1, 2, 3)) / torch.tensor([20, 30, 30])
    torch.testing.assert_close(wrong - perfect, distances)
    assert wrong.min() > 0.3


def test_classes_are_averaged_by_weight():
    logits = random_output("boundary", example())
    alone = [per_image("boundary", logits, example(weights=weights)) for weights in ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0])]
    both = per_image("boundary", logits, example(weights=[9.0, 3.0, 1.0]))
    torch.testing.assert_close(both, (3 * alone[0] + alone[1]) / 4)
