"""RefineNet's own parts against their definitions, its encoder's weights, and its options."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.ndimage import maximum_filter
from torch import nn
from torchvision.models import resnet18

from histoloom.architectures.refinenet import ChainedResidualPooling, RefineBlock, ResidualConvUnit, ResNetLevels
from histoloom.errors import InputError
from histoloom.networks import build_network, encoder_of


def identity(module: nn.Module) -> nn.Module:
    """The same module, in which each convolution gives what it takes."""
    for convolution in module.modules():
        if isinstance(convolution, nn.Conv2d):
            nn.init.dirac_(convolution.weight)
            nn.init.zeros_(convolution.bias)
    return module


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_chained_pooling_adds_maxima_over_windows_of_five_and_nine():
    values = noise(1, 2, 16, 16)
    rectified = np.maximum(values.numpy(), 0)
    expected = rectified + sum(maximum_filter(rectified, (1, 1, side, side)) for side in (5, 9))
    np.testing.assert_allclose(identity(ChainedResidualPooling(2))(values).detach(), expected, rtol=1e-6)


def test_a_residual_unit_adds_what_is_left_after_two_rectifications():
    values = noise(1, 2, 4, 4)
    torch.testing.assert_close(identity(ResidualConvUnit(2))(values), values + values.relu())


def test_a_block_adds_up_its_paths_on_the_finest_grid():
    # Two residual units in each path make 4 of 1, and 8 of 2; the pooling makes 3 times 12, the output twice as much.
    block = identity(RefineBlock([1, 1], 1))
    output = block(torch.full((1, 1, 8, 8), 1.0), torch.full((1, 1, 4, 4), 2.0))
    torch.testing.assert_close(output, torch.full((1, 1, 8, 8), 72.0))


def test_the_encoder_gives_what_the_layers_of_torchvision_give():
    resnet = resnet18().eval()
    seen = []
    for layer in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
        layer.register_forward_hook(lambda *passed: seen.append(passed[-1]))
    images = noise(1, 3, 64, 32)
    with torch.inference_mode():
        resnet(images)
        expected, seen[:] = list(seen), []
        given = ResNetLevels(resnet)(images)
    assert [each.shape[1:] for each in given] == [(64, 16, 8), (128, 8, 4), (256, 4, 2), (512, 2, 1)]
    assert all(map(torch.equal, given, expected))


def test_a_file_of_a_whole_resnet_starts_the_encoder(tmp_path):
    torch.manual_seed(5)
    weights = resnet18().state_dict()
    save_file(weights, tmp_path / "resnet18.safetensors")
    options = {"encoder": "resnet18", "width": 8, "pretrained": str(tmp_path / "resnet18.safetensors")}
    encoder = encoder_of(build_network("refinenet", options, 2), "refinenet")
    for key, value in encoder.state_dict().items():
        assert torch.equal(value, weights[key]), key


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"encoder": "resnet20"}, "refinenet: option encoder='resnet20'; expected one of resnet18, resnet34"),
        ({"width": 0}, "refinenet: option width=0; expected a whole number of channels from 1"),
        ({"pretrained": "coco"}, "refinenet: option pretrained='coco'; expected one of none, imagenet"),
    ],
)
def test_wrong_options_are_refused(options, match):
    with pytest.raises(InputError, match=match):
        build_network("refinenet", {"encoder": "resnet18", "width": 8, **options}, 2)
