"""Losses of overlap, against their formulas, MONAI's, segmentation_models.pytorch's and each other."""

import pytest
import torch
from monai.losses import DiceLoss, TverskyLoss
from segmentation_models_pytorch.losses import TverskyLoss as PlainTverskyLoss

from histoloom.errors import InputError
from histoloom.targets import Target
from tests.losses.loss_case import example, per_image, random_output, target_of

torch.set_num_threads(1)
MONAI = {"include_background": False, "softmax": True, "reduction": "none"}
# Two of four pixels are foreground. With probability 1/2 everywhere 1 pixel is found, 1 found falsely, 1 missed.
HALVES = target_of([[[1, 1], [0, 0]]])
TIES = torch.zeros(1, 2, 2, 2)


def annotated_alone(output: torch.Tensor, target: Target, image: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and truth of an image's annotated pixels in a row, so that an oracle never sees the others."""
    kept = target.annotated[image, 0] == 1
    return output[image][:, kept][None, :, None], target.truth[image][:, kept][None, :, None]


def test_dice_by_hand_on_four_pixels():
    # (2 * 1 + 1) / (2 + 2 + 1) = 3/5
    assert per_image("dice", TIES, HALVES).item() == pytest.approx(1 - 3 / 5)


def test_iou_by_hand_on_four_pixels():
    # (1 + 1/2) / (3 + 1/2) = 3/7
    assert per_image("iou", TIES, HALVES).item() == pytest.approx(1 - 3 / 7)


def test_tversky_by_hand_on_four_pixels():
    # (1 + 1/2) / (1 + 1/4 * 1 + 3/4 * 1 + 1/2) = 3/5, and with 0 and 2: (3/2) / (7/2)
    assert per_image("tversky", TIES, HALVES, alpha=0.25, beta=0.75).item() == pytest.approx(1 - 3 / 5)
    assert per_image("tversky", TIES, HALVES, alpha=0, beta=2).item() == pytest.approx(1 - 3 / 7)


def test_tversky_tells_false_positives_from_misses():
    # All four pixels foreground: 2 found, 2 falsely. None: 2 missed.
    everything = torch.stack([torch.full((2, 2), -50.0), torch.full((2, 2), 50.0)])[None]
    assert per_image("tversky", everything, HALVES, alpha=0.5, beta=0.1).item() == pytest.approx(1 - 2.5 / 3.5)
    assert per_image("tversky", -everything, HALVES, alpha=0.1, beta=0.5).item() == pytest.approx(1 - 0.5 / 1.5)


def test_focal_tversky_by_hand_on_four_pixels():
    options = {"alpha": 0.25, "beta": 0.75}
    assert per_image("focal_tversky", TIES, HALVES, **options, gamma=0.75).item() == pytest.approx((2 / 5) ** 0.75)
    assert per_image("focal_tversky", TIES, HALVES, **options, gamma=2).item() == pytest.approx(4 / 25)


@pytest.mark.parametrize("image", range(3))
@pytest.mark.parametrize(("name", "jaccard"), [("dice", False), ("iou", True)])
def test_dice_and_iou_are_monais_over_annotated_pixels(name, jaccard, image):
    target = example()
    logits = random_output(name, target)
    oracle = DiceLoss(**MONAI, jaccard=jaccard, smooth_nr=1.0, smooth_dr=1.0)
    expected = oracle(*annotated_alone(logits, target, image)).mean()
    assert per_image(name, logits, target)[image].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("image", range(3))
def test_tversky_is_monais_over_annotated_pixels(image):
    target = example()
    logits = random_output("tversky", target)
    oracle = TverskyLoss(**MONAI, alpha=0.2, beta=0.9, smooth_nr=0.5, smooth_dr=0.5)
    expected = oracle(*annotated_alone(logits, target, image)).mean()
    found = per_image("tversky", logits, target, alpha=0.2, beta=0.9)[image]
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.75, 1.5])
def test_focal_tversky_is_that_of_segmentation_models_class_by_class(gamma):
    target = example()
    logits = random_output("focal_tversky", target)
    row, truth = annotated_alone(logits, target, image=0)
    by_class = [
        PlainTverskyLoss("multiclass", [index], smooth=0.5, alpha=0.3, beta=0.7, gamma=gamma)(row, truth.argmax(1))
        for index in (1, 2)
    ]
    found = per_image("focal_tversky", logits, target, gamma=gamma)[0]
    assert found.item() == pytest.approx(torch.stack(by_class).mean().item(), rel=1e-5)


@pytest.mark.parametrize(("name", "weight"), [("dice", 0.5), ("iou", 1)])
def test_dice_and_iou_are_cases_of_tversky(name, weight):
    target = example(weights=[1.0, 2.0, 0.5])
    logits = random_output(name, target)
    same = per_image("tversky", logits, target, alpha=weight, beta=weight)
    torch.testing.assert_close(per_image(name, logits, target), same)


def test_focal_tversky_without_gamma_is_tversky():
    target = example()
    logits = random_output("tversky", target)
    same = per_image("focal_tversky", logits, target, gamma=1)
    torch.testing.assert_close(same, per_image("tversky", logits, target))


def test_iou_follows_from_dice_as_in_the_pannuke_study_on_a_large_image():
    target = target_of(torch.randint(0, 2, (1, 200, 200), generator=torch.Generator().manual_seed(1)))
    logits = random_output("dice", target)
    dice = 1 - per_image("dice", logits, target).item()
    assert 1 - per_image("iou", logits, target).item() == pytest.approx(dice / (2 - dice), abs=1e-4)


def test_classes_are_averaged_by_weight_and_the_background_is_left_out():
    target = example(weights=[7.0, 3.0, 1.0])
    logits = random_output("dice", target)
    oracle = DiceLoss(**MONAI, smooth_nr=1.0, smooth_dr=1.0)
    second, third = oracle(logits[1:2], target.truth[1:2]).flatten().tolist()
    assert per_image("dice", logits, target)[1].item() == pytest.approx((3 * second + third) / 4, rel=1e-5)


@pytest.mark.parametrize("name", ["dice", "iou", "tversky", "focal_tversky"])
def test_the_truth_of_overlaps_is_not_smoothed(name):
    logits = random_output(name, example())
    assert torch.equal(per_image(name, logits, example(smoothing=0.3)), per_image(name, logits, example()))


@pytest.mark.parametrize(("name", "option"), [("tversky", "alpha"), ("tversky", "beta"), ("focal_tversky", "gamma")])
def test_a_negative_option_is_refused(name, option):
    with pytest.raises(InputError, match=f"{name}: option {option}=-0.5; expected a number, 0 or more"):
        per_image(name, TIES, HALVES, **{option: -0.5})
