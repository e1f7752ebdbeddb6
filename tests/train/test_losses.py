"""Every loss against its formula, and the rules that all of them keep."""

import pytest
import torch
from torch.nn import functional

from histoloom import plugins
from histoloom.train.training import objective

LOSSES = plugins.names("losses")


def example(images: int = 3, classes: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, 6, 5, generator=generator)
    masks = torch.randint(0, classes, (images, 6, 5), generator=generator).to(torch.uint8)
    masks[0, :2] = 255
    return logits, masks


def per_image(name: str, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    truth = torch.stack([masks == k for k in range(logits.shape[1])], 1).float()
    return plugins.load("losses", name)(logits, truth, (masks != 255)[:, None].float())


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_gives_one_finite_value_an_image(name):
    assert per_image(name, *example()).shape == (3,)
    assert torch.isfinite(per_image(name, *example())).all()


@pytest.mark.parametrize("name", LOSSES)
def test_pixels_nobody_annotated_change_neither_loss_nor_gradient(name):
    logits, masks = example()
    logits.requires_grad_()
    loss, _ = objective(logits, masks, [(1.0, plugins.load("losses", name))])
    loss.backward()
    changed = logits.detach().clone()
    changed[0, :, :2] += 7
    other, _ = objective(changed, masks, [(1.0, plugins.load("losses", name))])
    assert other.item() == pytest.approx(loss.item(), rel=1e-6)
    assert logits.grad[0, :, :2].abs().max() == 0
    assert logits.grad[0, :, 2:].abs().max() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_prediction_costs_next_to_nothing_and_a_wrong_one_much(name):
    _, masks = example()
    truth = torch.stack([masks == k for k in range(3)], 1).float()
    assert per_image(name, 50 * truth - 25, masks).max() < 0.02
    assert per_image(name, 25 - 50 * truth, masks).min() > 0.5


def test_bce_is_torchs_over_annotated_pixels():
    logits, masks = example()
    kept = masks[0] != 255
    truth = torch.stack([masks[0] == k for k in range(3)]).float()
    expected = functional.binary_cross_entropy(logits[0].sigmoid()[:, kept], truth[:, kept])
    assert per_image("bce", logits, masks)[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_cross_entropy_is_torchs_with_ignored_index():
    logits, masks = example()
    expected = functional.cross_entropy(logits[:1], masks[:1].long(), ignore_index=255)
    assert per_image("cross_entropy", logits, masks)[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_dice_by_hand_on_four_pixels():
    # Two classes, probability 1/2 everywhere; two of four pixels are foreground.
    # (2 * overlap + 1) / (predicted + true + 1) = (2 * 1 + 1) / (2 + 2 + 1) = 3/5
    masks = torch.tensor([[[1, 1], [0, 0]]], dtype=torch.uint8)
    assert per_image("dice", torch.zeros(1, 2, 2, 2), masks).item() == pytest.approx(1 - 3 / 5)


def test_iou_by_hand_on_four_pixels():
    # (overlap + 1) / (union + 1) with overlap 1 and union 2 + 2 - 1 = 3; MONAI doubles both sums before it smoothes:
    # (2 * 1 + 1) / (2 * 3 + 1) = 3/7
    masks = torch.tensor([[[1, 1], [0, 0]]], dtype=torch.uint8)
    assert per_image("iou", torch.zeros(1, 2, 2, 2), masks).item() == pytest.approx(1 - 3 / 7)


def test_iou_follows_from_dice_as_in_the_pannuke_study_on_a_large_image():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 2, 200, 200, generator=generator)
    masks = torch.randint(0, 2, (1, 200, 200), generator=generator).to(torch.uint8)
    dice = 1 - per_image("dice", logits, masks).item()
    assert 1 - per_image("iou", logits, masks).item() == pytest.approx(dice / (2 - dice), abs=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_the_sums_of_two_halves_add_up_to_the_whole_batch(name):
    logits, masks = example(images=4)
    terms = [(2.0, plugins.load("losses", name)), (1.0, plugins.load("losses", "bce"))]
    whole = objective(logits, masks, terms)
    halves = [objective(logits[k::2], masks[k::2], terms) for k in range(2)]
    assert whole[0].item() == pytest.approx(sum(half[0].item() for half in halves), rel=1e-5)
    assert whole[1].item() == sum(half[1].item() for half in halves) == 4 * 30 - 10


@pytest.mark.parametrize("name", LOSSES)
def test_an_image_without_annotation_costs_nothing(name):
    logits, masks = example()
    masks[:] = 255
    loss, pixels = objective(logits, masks, [(1.0, plugins.load("losses", name))])
    assert loss.item() == 0
    assert pixels.item() == 0
