"""The faster PReLU against torch's own."""

import copy

import pytest
import torch
from torch import nn

from histoloom.train.parametric_relu import OneSlopeFunction, with_fast_activations

CPU = torch.device("cpu")


def pair() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(init=0.3), nn.Conv2d(4, 2, 1), nn.PReLU(2))
    return plain, with_fast_activations(copy.deepcopy(plain), CPU)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_torchs_own(layout):
    plain, fast = pair()
    images = torch.randn(2, 3, 16, 16).to(memory_format=layout)
    for network in (plain, fast):
        (network(images) ** 2).sum().backward()
    torch.testing.assert_close(fast(images), plain(images))
    for one, two in zip(plain.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(two.grad, one.grad, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    values = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    slope = torch.tensor([0.25], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda each: OneSlopeFunction.apply(each, slope), (values,))


def test_the_slopes_gradient_keeps_its_digits_in_bfloat16():
    # 2^16 gradients of 1 at values of -1: their sum in bfloat16 would stop growing at 256.
    slope = torch.tensor([0.25], requires_grad=True)
    values = torch.full((65536,), -1.0, dtype=torch.bfloat16)
    OneSlopeFunction.apply(values, slope).float().sum().backward()
    assert slope.grad.item() == -65536


def test_only_single_slopes_change_and_weights_move_between_both():
    plain, fast = pair()
    assert [type(module) is nn.PReLU for module in fast] == [False, False, False, True]
    plain.load_state_dict(fast.state_dict())
    assert type(with_fast_activations(pair()[0], torch.device("meta"))[1]) is nn.PReLU
