"""The rules that every loss in the folder keeps, whatever it looks at."""

from dataclasses import replace

import pytest
import torch

from histoloom.targets import Target
from tests.losses.loss_case import LOSSES, example, looks_at_maps, per_image, random_output

torch.set_num_threads(1)
# The lowest boundary loss is negative, and how low hangs on the shapes; test_boundary.py has this rule for it.
FROM_ZERO = [name for name in LOSSES if name != "boundary"]


def summed(name: str, output: torch.Tensor, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
    """Images weighted by their annotated pixels, as training does, and the sum of these weights."""
    pixels = target.annotated.sum((1, 2, 3))
    return (per_image(name, output, target) * pixels).sum(), pixels.sum()


def images_of(target: Target, kept: slice) -> Target:
    parts = {part: getattr(target, part)[kept] for part in ("truth", "annotated", "maps", "distances")}
    return replace(target, **parts)


def perfect(name: str, target: Target) -> torch.Tensor:
    return target.maps if looks_at_maps(name) else 50 * target.truth - 25


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_gives_one_finite_value_an_image(name):
    target = example()
    loss = per_image(name, random_output(name, target), target)
    assert loss.shape == (3,)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_pixels_nobody_annotated_change_neither_loss_nor_gradient(name, smoothing):
    target = example(weights=[1.0, 2.0, 0.5], smoothing=smoothing)
    output = random_output(name, target).requires_grad_()
    loss = per_image(name, output, target)
    loss.sum().backward()
    unseen = 100 * (1 - target.annotated)
    changed = replace(target, maps=target.maps - unseen, distances=target.distances + unseen)
    other = output.detach() + unseen * torch.tensor([1.0, -2.0, 3.0])[: output.shape[1], None, None]
    other.requires_grad_()
    after = per_image(name, other, changed)
    after.sum().backward()
    assert torch.equal(after, loss)
    assert torch.equal(other.grad, output.grad)
    assert output.grad[0, :, :2].abs().max() == 0
    assert output.grad[0, :, 2:].abs().max() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_an_image_without_annotation_costs_nothing_and_teaches_nothing(name):
    target = example()
    target = replace(target, truth=torch.zeros_like(target.truth), annotated=torch.zeros_like(target.annotated))
    output = random_output(name, target).requires_grad_()
    loss = per_image(name, output, target)
    loss.sum().backward()
    assert torch.equal(loss, torch.zeros(3))
    assert torch.equal(output.grad, torch.zeros_like(output))


@pytest.mark.parametrize("name", FROM_ZERO)
def test_a_perfect_prediction_costs_next_to_nothing_and_a_wrong_one_much(name):
    target = example()
    assert per_image(name, perfect(name, target), target).max() < 0.02
    assert per_image(name, -perfect(name, target), target).min() > 0.5


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_down_the_gradient_lowers_the_loss_of_every_image(name):
    target = example()
    output = random_output(name, target).requires_grad_()
    loss = per_image(name, output, target)
    loss.sum().backward()
    assert (per_image(name, output.detach() - 0.01 * output.grad, target) < loss).all()


@pytest.mark.parametrize("name", LOSSES)
def test_an_output_far_out_has_a_finite_loss_and_gradient(name):
    target = example()
    for output in (1e4 * random_output(name, target), 1e4 * perfect(name, target)):
        output.requires_grad_()
        loss = per_image(name, output, target)
        loss.sum().backward()
        assert torch.isfinite(loss).all()
        assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_sums_of_two_ranks_add_up_to_the_whole_batch(name):
    target = example(images=4, weights=[1.0, 2.0, 0.5])
    output = random_output(name, target)
    whole, pixels = summed(name, output, target)
    ranks = [summed(name, output[rank::2], images_of(target, slice(rank, None, 2))) for rank in range(2)]
    assert sum(loss.item() for loss, _ in ranks) == pytest.approx(whole.item(), rel=1e-5)
    assert sum(count.item() for _, count in ranks) == pixels.item() == 4 * 30 - 10


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_that_of_the_value(name):
    target = example(images=2, weights=[1.0, 2.0, 0.5], smoothing=0.1)
    parts = ("truth", "annotated", "class_weights", "maps", "distances")
    target = replace(target, **{part: getattr(target, part).double() for part in parts})
    output = random_output(name, target).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: per_image(name, values, target), (output,))


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_leaves_a_loss_of_float32_in_float32(name):
    target = example()
    output = random_output(name, target)
    with torch.autocast("cpu", torch.bfloat16):
        inside = per_image(name, output, target)
    assert torch.equal(inside, per_image(name, output, target))
