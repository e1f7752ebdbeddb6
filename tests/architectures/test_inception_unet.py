"""Hartley pooling against waves known in closed form and scipy's resampling; the options of the Inception U-Net."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import resample

from histoloom.architectures.inception_unet import hartley_pool
from histoloom.errors import InputError
from histoloom.networks import build_network


def wave(side: int, cycles: int) -> torch.Tensor:
    return torch.cos(2 * math.pi * cycles * torch.arange(side) / side + 0.3)


def test_a_slow_wave_stays_the_same_wave_on_fewer_pixels():
    values = (wave(32, 3)[:, None] * wave(64, 7) + 5).expand(2, 3, 32, 64)
    expected = (wave(16, 3)[:, None] * wave(32, 7) + 5).expand(2, 3, 16, 32)
    torch.testing.assert_close(hartley_pool(values, 2), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cycles", [8, 9, 16])
def test_a_wave_too_fast_for_the_new_pixels_is_gone(cycles):
    values = wave(32, cycles).expand(1, 1, 16, 32)
    torch.testing.assert_close(hartley_pool(values, 2), torch.zeros(1, 1, 8, 16), rtol=0, atol=1e-5)


def test_pooling_equals_resampling_by_fourier_transform():
    # To odd sides: with even ones scipy keeps half of the highest frequency, of which only one sign is there.
    values = np.random.default_rng(0).normal(size=(2, 3, 20, 36)).astype(np.float32)
    expected = resample(resample(values, 5, axis=2), 9, axis=3)
    np.testing.assert_allclose(hartley_pool(torch.from_numpy(values), 4), expected, atol=1e-5)


def test_with_mean_pooling_distant_pixels_have_no_influence_and_with_hartley_they_have():
    images = torch.zeros(2, 3, 512, 32)
    images[1, :, -32:] = 1
    for pooling, is_local in (("mean", True), ("hartley", False)):
        torch.manual_seed(0)
        network = build_network("inception_unet", {"width": 1, "pooling": pooling}, 2).eval()
        with torch.inference_mode():
            first, second = network(images)[..., :32, :]
        assert torch.equal(first, second) == is_local


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"width": 0}, "inception_unet: option width=0; expected a whole number of filters from 1"),
        ({"pooling": "max"}, "inception_unet: option pooling='max'; expected one of hartley, mean"),
    ],
)
def test_wrong_options_are_refused(options, match):
    with pytest.raises(InputError, match=match):
        build_network("inception_unet", options, 2)
