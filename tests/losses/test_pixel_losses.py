"""Losses that are a mean over pixels, against their formulas and torch's and torchvision's own."""

from math import log

import pytest
import torch
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from histoloom.errors import InputError
from histoloom.losses._options import refuse_negative
from tests.losses.loss_case import example, per_image, random_output, target_of

torch.set_num_threads(1)
THREE_TO_ONE = log(3)  # the logit whose sigmoid is 3/4
# Four pixels: a logit of ln 3 for the truth, a tie, a logit of ln 3 against the truth, and one that nobody annotated.
FOUR_PIXELS = target_of([[[0, 1], [1, 255]]])
FOUR_LOGITS = torch.tensor([[[[THREE_TO_ONE, 0], [THREE_TO_ONE, 9]], [[-THREE_TO_ONE, 0], [-THREE_TO_ONE, -9]]]])


def test_bce_by_hand_on_four_pixels():
    expected = (-log(3 / 4) - log(1 / 2) - log(1 / 4)) / 3
    assert per_image("bce", FOUR_LOGITS, FOUR_PIXELS).item() == pytest.approx(expected)


def test_cross_entropy_by_hand_on_four_pixels():
    # The softmax of ln 3 and -ln 3 is 3 : 1/3, so 9/10.
    expected = (-log(9 / 10) - log(1 / 2) - log(1 / 10)) / 3
    assert per_image("cross_entropy", FOUR_LOGITS, FOUR_PIXELS).item() == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0, 0.5, 2.0])
def test_focal_by_hand_on_four_pixels(gamma):
    expected = -sum((1 - p) ** gamma * log(p) for p in (3 / 4, 1 / 2, 1 / 4)) / 3
    assert per_image("focal", FOUR_LOGITS, FOUR_PIXELS, gamma=gamma).item() == pytest.approx(expected)


def test_bce_is_torchs_over_annotated_pixels():
    target = example()
    logits = random_output("bce", target)
    kept = target.annotated[0, 0] == 1
    expected = functional.binary_cross_entropy(logits[0].sigmoid()[:, kept], target.truth[0][:, kept])
    assert per_image("bce", logits, target)[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_cross_entropy_is_torchs_with_ignored_index():
    target = example()
    logits = random_output("cross_entropy", target)
    expected = functional.cross_entropy(logits[:1], _indices(target)[:1], ignore_index=255)
    assert per_image("cross_entropy", logits, target)[0].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 3.0])
def test_focal_is_torchvisions_over_annotated_pixels(gamma):
    target = example()
    logits = random_output("focal", target)
    kept = target.annotated[0, 0] == 1
    expected = sigmoid_focal_loss(logits[0][:, kept], target.truth[0][:, kept], alpha=-1, gamma=gamma, reduction="mean")
    assert per_image("focal", logits, target, gamma=gamma)[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_focal_without_gamma_is_bce():
    target = example(weights=[1.0, 2.0, 0.5])
    logits = random_output("bce", target)
    torch.testing.assert_close(per_image("focal", logits, target, gamma=0), per_image("bce", logits, target))


def test_class_weights_of_cross_entropy_are_torchs_over_the_number_of_annotated_pixels():
    target = example(weights=[1.0, 2.0, 1.0])
    logits = random_output("cross_entropy", target)
    summed = functional.cross_entropy(
        logits, _indices(target), weight=target.class_weights, ignore_index=255, reduction="none"
    ).sum((1, 2))
    torch.testing.assert_close(per_image("cross_entropy", logits, target), summed / torch.tensor([20, 30, 30]))


@pytest.mark.parametrize("name", ["bce", "cross_entropy", "focal"])
def test_a_weight_of_two_counts_a_class_twice(name):
    target = example()
    logits = random_output(name, target)
    only_second = per_image(name, logits, example(weights=[0.0, 1.0, 0.0]))
    expected = per_image(name, logits, target) + only_second
    torch.testing.assert_close(per_image(name, logits, example(weights=[1.0, 2.0, 1.0])), expected)


def test_label_smoothing_of_cross_entropy_is_torchs():
    target = example(smoothing=0.1)
    logits = random_output("cross_entropy", target)
    expected = functional.cross_entropy(
        logits, _indices(target), ignore_index=255, label_smoothing=0.1, reduction="none"
    ).sum((1, 2)) / torch.tensor([20, 30, 30])
    torch.testing.assert_close(per_image("cross_entropy", logits, target), expected)


def test_label_smoothing_of_bce_by_hand_on_one_pixel():
    # Smoothed by 0.2 over two classes, the truth is 0.9 and 0.1; with ln 3 for the truth both channels cost the same.
    target = target_of([[[0]]], smoothing=0.2)
    logits = torch.tensor([THREE_TO_ONE, -THREE_TO_ONE])[None, :, None, None]
    expected = -0.9 * log(3 / 4) - 0.1 * log(1 / 4)
    assert per_image("bce", logits, target).item() == pytest.approx(expected)


def test_a_negative_gamma_is_refused():
    with pytest.raises(InputError, match="focal: option gamma=-1; expected a number, 0 or more; change"):
        per_image("focal", FOUR_LOGITS, FOUR_PIXELS, gamma=-1)


@pytest.mark.parametrize("value", [-0.1, "2", True, None, float("nan"), float("inf")])
def test_an_option_that_is_no_number_from_zero_on_is_refused(value):
    refuse_negative("focal", gamma=0, alpha=0.5)
    with pytest.raises(InputError, match="focal: option gamma="):
        refuse_negative("focal", gamma=value)


def _indices(target) -> torch.Tensor:
    return target.truth.argmax(1).where(target.annotated[:, 0] == 1, 255)
