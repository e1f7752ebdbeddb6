"""What a pixel that a model labelled counts in training: as if drawn at weight 1, half of it at 1/2, else refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from histoloom.marks import weighted_pixels
from histoloom.sample import IGNORE, PSEUDO
from histoloom.targets import Outputs, Target, counted_pixels
from histoloom.train.data.class_weights import class_weights
from histoloom.train.data.sampling import class_shares
from histoloom.train.objective import objective, weighted_losses
from tests.losses.loss_case import LOSSES, looks_at_maps

torch.set_num_threads(1)
OUTPUTS = Outputs(("background", "tumour", "stroma"), has_maps=True)
WEIGHTS = torch.tensor([1.0, 2.0, 0.5])
PIXELWISE = ("bce", "cross_entropy", "focal")


def masks_of_both() -> tuple[torch.Tensor, torch.Tensor]:
    """Masks with marks, and the same as if people had drawn all of it: two images of 6 x 5 pixels."""
    drawn = torch.randint(0, 3, (2, 6, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    drawn[0, :2] = IGNORE
    marked = drawn.clone()
    marked[:, 2:4] += PSEUDO
    return marked, drawn


def target_of(masks: torch.Tensor, weight: float = 0.0, smoothing: float = 0.1) -> Target:
    generator = torch.Generator().manual_seed(3)
    maps, distances = torch.randn(2, 2, 6, 5, generator=generator), torch.randn(2, 3, 6, 5, generator=generator)
    return Target.of(masks, WEIGHTS, smoothing, maps, distances, weight)


def result(loss: str, target: Target) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The sums of the objective of a random output, and its gradient."""
    output = torch.randn(2, 5, 6, 5, generator=torch.Generator().manual_seed(4)).requires_grad_()
    total, pixels = objective(output, target, weighted_losses(loss), OUTPUTS)
    total.backward()
    return total.detach(), pixels, output.grad


@pytest.mark.parametrize("loss", LOSSES)
def test_masks_without_marks_train_as_ever(loss):
    _, drawn = masks_of_both()
    before, after = result(loss, target_of(drawn)), result(loss, target_of(drawn, 0.3))
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))


@pytest.mark.parametrize("loss", [name for name in LOSSES if not looks_at_maps(name)])
def test_a_weight_of_one_is_as_if_people_had_drawn_it(loss):
    marked, drawn = masks_of_both()
    before, after = result(loss, target_of(drawn)), result(loss, target_of(marked, 1.0))
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))


@pytest.mark.parametrize("loss", PIXELWISE)
def test_a_mean_over_pixels_is_linear_in_the_weight(loss):
    marked, drawn = masks_of_both()
    alone = torch.where(marked < PSEUDO, marked, IGNORE).to(torch.uint8)
    (people, people_px, slope), (both, both_px, whole) = result(loss, target_of(alone)), result(loss, target_of(drawn))
    total, pixels, gradient = result(loss, target_of(marked, 0.25))
    assert pixels == people_px + 0.25 * (both_px - people_px)
    torch.testing.assert_close(total, people + 0.25 * (both - people))
    torch.testing.assert_close(gradient, slope + 0.25 * (whole - slope))


def test_overlap_counts_a_marked_pixel_by_its_weight():
    # One pixel drawn as tumour, one marked as background, both predicted as tumour by one half.
    target = Target.of(torch.tensor([[[1, PSEUDO]]], dtype=torch.uint8), torch.ones(2), pseudo_weight=0.5)
    (term,) = weighted_losses("iou")
    # Overlap 1/2, false 1/2 of 1/2, missed 1/2, half a pixel of smoothing.
    assert term.per_image(torch.zeros(1, 2, 1, 2), target).item() == pytest.approx(0.75 / (0.5 + 0.75 + 0.5))


def test_terms_of_maps_see_people_alone():
    marked, _ = masks_of_both()
    alone = torch.where(marked < PSEUDO, marked, IGNORE).to(torch.uint8)
    (total, _, gradient), (expected, _, slope) = result("hv", target_of(marked, 0.7)), result("hv", target_of(alone))
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, slope)


def test_an_image_with_nothing_but_one_marked_pixel_keeps_its_mean():
    masks = torch.full((1, 2, 2), IGNORE, dtype=torch.uint8)
    masks[0, 0, 0] = PSEUDO + 1
    target = Target.of(masks, torch.ones(2), pseudo_weight=0.01)
    assert target.mean_over_pixels(torch.full((1, 1, 2, 2), 3.0)).item() == pytest.approx(3.0)


def test_pixels_are_counted_by_weight():
    masks = torch.tensor([[[0, 1, PSEUDO, PSEUDO + 1, IGNORE]]], dtype=torch.uint8)
    assert counted_pixels(masks, 0.5).item() == 3.0
    assert counted_pixels(masks[:, :, [0, 1, 4]]).item() == 2.0


def test_classes_are_weighed_and_drawn_by_weighted_pixels():
    values = np.zeros(256, np.int64)
    values[[0, 1, PSEUDO + 1, IGNORE]] = 60, 10, 20, 5
    pixels = weighted_pixels(values, 2, 0.5)
    assert pixels.tolist() == [60, 20]
    assert class_weights(["inverse_frequency"], pixels).tolist() == pytest.approx([40 / 60, 2])
    mask = np.array([[0, PSEUDO + 1, PSEUDO + 1, IGNORE]], np.uint8)
    assert class_shares([mask], 2, 0.5).tolist() == [[0.25, 0.25]]
    assert class_shares([mask], 2).tolist() == [[0.25, 0]]


def test_an_unmarked_target_costs_no_further_plane():
    _, drawn = masks_of_both()
    target = target_of(drawn)
    assert target.drawn is None
    assert target.counted is target.truth
    assert target.of_people is target
    assert replace(target, smoothing=0.0).smoothed is target.truth
