"""What networks give while they train, where that is more than logits, and for the smallest tile there is."""

import pytest
import torch
from torch.nn import functional

from histoloom.networks import build_network


def images(height: int = 64, width: int = 64) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_deeplab_gives_torchvisions_outputs_and_the_auxiliary_ones_only_in_training():
    network = build_network("deeplabv3_resnet50", {"auxiliary": True}, 3).eval()
    inner = network.network
    with torch.inference_mode():
        theirs = inner.network(inner.scaled(images()))
        torch.testing.assert_close(network(images()), theirs["out"])
        inner.training = True  # and its parts not, so that norms and dropout stay as they are
        found = network(images())
    assert [tuple(output.shape) for output in found] == [(2, 3, 64, 64)] * 2
    torch.testing.assert_close(found[0], theirs["out"])
    torch.testing.assert_close(found[1], theirs["aux"])


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_segresnet_supervises_as_many_levels_as_asked_for(levels):
    network = build_network("segresnet", {"width": 8, "supervision_levels": levels}, 4).network.train()
    found = network(images())
    sides = [output.shape[-1] for output in found] if levels > 1 else [found.shape[-1]]
    assert sides == [64, 32, 16][:levels]
    assert network.eval()(images()).shape == (2, 4, 64, 64)


@pytest.mark.parametrize("training", [True, False])
def test_swin_unetr_takes_the_smallest_tile_as_half_of_one_twice_as_wide(training):
    torch.manual_seed(0)
    network = build_network("swin_unetr", {"width": 12}, 3).train(training)
    tile = images(32, 32)
    with torch.inference_mode():
        found = network(tile)
        twice = network(functional.pad(tile, (0, 32, 0, 0), mode="replicate"))
    torch.testing.assert_close(found, twice[..., :32])
