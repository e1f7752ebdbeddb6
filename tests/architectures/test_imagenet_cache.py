"""ImageNet weights that torch keeps: found in its cache, and asked for with the cure where they are not there."""

import pickle
from pathlib import Path

import pytest
import torch

from histoloom.errors import InputError
from histoloom.networks import build_network, encoder_of
from tests.architectures.pretrained_case import Trap, randomised

FROM_TORCH = {
    "deeplabv3_resnet50": "resnet50-11ad3fa6.pth",
    "deeplabv3_resnet101": "resnet101-cd907fc2.pth",
    "hovernet": "resnet50-11ad3fa6.pth",
    "unet_efficientnet_b0": "efficientnet-b0-355c32eb.pth",
}


@pytest.mark.parametrize("name", FROM_TORCH)
def test_offline_an_architecture_names_the_file_it_needs(name, monkeypatch, tmp_path):
    def unreachable(*_, **__):
        raise OSError("no connection")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=rf"{name}: ImageNet weights cannot be loaded \(no connection\)") as caught:
        build_network(name, {"pretrained": "imagenet"}, 2)
    assert str(tmp_path / "hub" / "checkpoints" / FROM_TORCH[name]) in str(caught.value)


@pytest.fixture
def cache(monkeypatch, tmp_path) -> Path:
    """The folder in which torch keeps its downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_a_damaged_download_in_the_cache_is_an_error_with_its_cure(cache):
    (cache / FROM_TORCH["deeplabv3_resnet50"]).write_bytes(b"PK\x03\x04 half of a download")
    with pytest.raises(InputError, match="ImageNet weights cannot be loaded"):
        build_network("deeplabv3_resnet50", {"pretrained": "imagenet"}, 2)


def test_a_pickle_in_the_cache_is_not_executed(cache, tmp_path):
    with (cache / FROM_TORCH["deeplabv3_resnet50"]).open("wb") as file:
        pickle.dump(Trap(tmp_path / "executed"), file, protocol=2)  # the one that torch.load expects
    with pytest.raises(InputError, match="ImageNet weights cannot be loaded"):
        build_network("deeplabv3_resnet50", {"pretrained": "imagenet"}, 2)
    assert not (tmp_path / "executed").exists()


def test_deeplab_takes_the_resnet_in_the_cache(cache):
    from torchvision.models import resnet50

    published = randomised(resnet50())
    torch.save(published, cache / FROM_TORCH["deeplabv3_resnet50"])
    encoder = encoder_of(build_network("deeplabv3_resnet50", {"pretrained": "imagenet"}, 2), "deeplabv3_resnet50")
    found = encoder.state_dict()
    assert set(published) - set(found) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(value, published[name]) for name, value in found.items())


def test_unet_efficientnet_b0_takes_the_published_weights_as_monai_does(cache, monkeypatch):
    from monai.networks.nets import FlexibleUNet
    from segmentation_models_pytorch.encoders import get_encoder

    # The library names its weights as the published file does, whose names MONAI changed.
    published = randomised(get_encoder("efficientnet-b0", weights=None))
    assert "_blocks.15._project_conv.weight" in published
    torch.save(published, cache / FROM_TORCH["unet_efficientnet_b0"])
    monkeypatch.setattr("monai.networks.nets.efficientnet.model_zoo.load_url", lambda *_, **__: published)
    theirs = FlexibleUNet(3, 2, "efficientnet-b0", pretrained=True).encoder.state_dict()
    network = build_network("unet_efficientnet_b0", {"pretrained": "imagenet"}, 2)
    found = encoder_of(network, "unet_efficientnet_b0").state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in found.items())
    assert torch.equal(found["_blocks.6.15._project_conv.weight"], published["_blocks.15._project_conv.weight"])
