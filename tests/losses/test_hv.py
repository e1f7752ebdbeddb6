"""The loss of the horizontal and vertical maps, against hand and scipy's Sobel filter."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import minimum_filter, sobel

from histoloom.errors import InputError
from histoloom.targets import Target
from tests.losses.loss_case import example, per_image, random_output, target_of

torch.set_num_threads(1)


def flat(masks: list) -> Target:
    """A target whose maps are 0."""
    target = target_of(masks)
    return replace(target, maps=torch.zeros_like(target.maps))


def by_formula(maps: np.ndarray, target: Target, gradient_weight: float) -> list[float]:
    """The loss of each image with scipy's filters."""
    losses = []
    for error, truth, annotated in zip(
        maps - target.maps.numpy(), target.truth.numpy(), target.annotated[:, 0].numpy() == 1, strict=True
    ):
        counted = (truth[1:].sum(0) == 1) & minimum_filter(annotated, 3, mode="constant", cval=0)
        slopes = np.stack([sobel(error[0], axis=1), sobel(error[1], axis=0)])[:, counted]
        squares = np.mean(slopes**2) if counted.any() else 0.0
        losses.append(np.mean(error[:, annotated] ** 2) + gradient_weight * squares)
    return losses


def test_values_by_hand_on_two_rows_of_three_pixels_within_a_tile():
    # Background alone, so slopes do not count: errors 1 and 3 on one pixel each, of 12 - 1 annotated ones, two maps.
    target = flat([[[0, 0, 0, 255], [0, 0, 0, 0], [0, 0, 0, 0]]])
    maps = torch.zeros(1, 2, 3, 4)
    maps[0, 0, 0, 0], maps[0, 1, 1, 2], maps[0, 0, 0, 3] = 1, -3, 50
    assert per_image("hv", maps, target).item() == pytest.approx((1 + 9) / (11 * 2))


def test_slopes_by_hand_on_three_by_three_pixels():
    # The horizontal map rises by 1 a pixel to the right: Sobel answers 8, and the vertical map is right. The middle
    # pixel alone has all its neighbours: slopes (64 + 0) / 2, values (6 * 1 + 3 * 0) / (9 * 2).
    target = flat([[[1, 1, 1]] * 3])
    ramp = torch.tensor([-1.0, 0.0, 1.0]).expand(3, 3)
    maps = torch.stack([ramp, torch.zeros(3, 3)])[None]
    assert per_image("hv", maps, target, gradient_weight=1).item() == pytest.approx(1 / 3 + 32)
    assert per_image("hv", maps, target, gradient_weight=0).item() == pytest.approx(1 / 3)


def test_each_map_has_the_slope_along_its_own_axis():
    target = flat([[[1, 1, 1]] * 3])
    down = torch.tensor([-1.0, 0.0, 1.0])[:, None].expand(3, 3)
    flat_map = torch.zeros(3, 3)
    vertical, wrong_way = torch.stack([flat_map, down])[None], torch.stack([down, flat_map])[None]
    assert per_image("hv", vertical, target, gradient_weight=1).item() == pytest.approx(1 / 3 + 32)
    assert per_image("hv", wrong_way, target, gradient_weight=1).item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("gradient_weight", [0.0, 1.0, 2.5])
def test_hv_is_the_formula_with_scipys_sobel(gradient_weight):
    masks = torch.randint(0, 3, (4, 12, 9), generator=torch.Generator().manual_seed(5))
    masks[0, 3:5, 2] = 255
    masks[1, :, 6:] = 255
    target = target_of(masks, classes=3, weights=[1.0, 5.0, 0.1])
    maps = random_output("hv", target)
    found = per_image("hv", maps, target, gradient_weight=gradient_weight)
    np.testing.assert_allclose(found.numpy(), by_formula(maps.numpy(), target, gradient_weight), rtol=1e-5)


def test_slopes_next_to_what_nobody_annotated_do_not_count():
    # The one pixel in the middle has a neighbour that nobody annotated; only values are left.
    target = flat([[[1, 1, 255], [1, 1, 1], [1, 1, 1]]])
    maps = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(6))
    expected = per_image("hv", maps, target, gradient_weight=0)
    assert torch.equal(per_image("hv", maps, target, gradient_weight=100), expected)


def test_class_weights_have_no_part_in_it():
    maps = random_output("hv", example())
    assert torch.equal(per_image("hv", maps, example(weights=[1.0, 9.0, 0.0])), per_image("hv", maps, example()))


def test_a_negative_weight_is_refused():
    with pytest.raises(InputError, match="hv: option gradient_weight=-1; expected a number, 0 or more"):
        per_image("hv", torch.zeros(1, 2, 3, 3), flat([[[1, 1, 1]] * 3]), gradient_weight=-1)
