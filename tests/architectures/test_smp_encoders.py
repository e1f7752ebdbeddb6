"""Encoders of segmentation_models_pytorch: where their weights come from, and what is said where there are none."""

from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import encoders
from torch import nn
from torchvision.models import densenet121, resnet18

from histoloom.errors import InputError
from histoloom.networks import build_network, encoder_of

NAMES = ("fpn", "segformer", "unet_resnet", "unetplusplus")
FAMILIES = (
    "efficientnet-b0",
    "timm-efficientnet-b0",
    "timm-tf_efficientnet_lite0",
    "xception",
    "mobilenet_v2",
    "densenet121",
    "mobileone_s0",
    "se_resnet50",
    "mit_b0",
)


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Path:
    """An empty cache of the hub's client, and no connection."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def place_in(hub: Path, encoder: str) -> Path:
    """Where the hub's client keeps the ImageNet weights of an encoder."""
    settings = encoders[encoder]["pretrained_settings"]["imagenet"]
    folder = hub / f"models--{settings['repo_id'].replace('/', '--')}" / "snapshots" / settings["revision"]
    return folder / "model.safetensors"


def random_weights(model: type[nn.Module]) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return model().state_dict()


def encoder_in(name: str, **options: str) -> dict[str, torch.Tensor]:
    return encoder_of(build_network(name, options, 2), name).state_dict()


@pytest.mark.parametrize("name", NAMES)
def test_imagenet_weights_that_cannot_be_had_are_an_error_with_its_cure(hub, name):
    with pytest.raises(InputError, match=f"{name}: ImageNet weights cannot be loaded") as caught:
        build_network(name, {"encoder": "resnet18", "pretrained": "imagenet"}, 2)
    assert f"expected {place_in(hub, 'resnet18')} or a connection to" in str(caught.value)
    assert "set the option pretrained to none" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 4


@pytest.mark.parametrize("name", NAMES)
def test_imagenet_weights_that_lie_where_the_error_says_are_used(hub, name):
    weights = random_weights(resnet18)
    place_in(hub, "resnet18").parent.mkdir(parents=True)
    save_file(weights, place_in(hub, "resnet18"))
    for key, value in encoder_in(name, encoder="resnet18", pretrained="imagenet").items():
        assert torch.equal(value, weights[key]), key


def test_weights_whose_names_the_library_changes_are_used(hub):
    # Older files of DenseNet write norm.1 where the network has norm1, and do not count batches.
    weights = {key: value for key, value in random_weights(densenet121).items() if "num_batches" not in key}
    older = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in key else key: value
        for key, value in weights.items()
    }
    assert older.keys() != weights.keys()
    place_in(hub, "densenet121").parent.mkdir(parents=True)
    save_file(older, place_in(hub, "densenet121"))
    encoder = encoder_in("fpn", encoder="densenet121", pretrained="imagenet")
    for key, value in weights.items():
        assert key.startswith("classifier") or torch.equal(encoder[key], value), key


def test_a_file_of_a_whole_resnet_starts_the_encoder(tmp_path):
    weights = random_weights(resnet18)
    save_file(weights, tmp_path / "mine.safetensors")
    encoder = encoder_in("unet_resnet", encoder="resnet18", pretrained=str(tmp_path / "mine.safetensors"))
    for key, value in encoder.items():
        assert torch.equal(value, weights[key]), key


@pytest.mark.parametrize("encoder", FAMILIES)
def test_no_parameter_of_any_family_is_left_without_a_gradient(encoder):
    torch.manual_seed(0)
    network = build_network("unet_resnet", {"encoder": encoder}, 2)
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("fpn", {"encoder": "resnet43"}, "fpn: option encoder='resnet43'; did you mean 'resnet34'?"),
        ("unetplusplus", {"encoder": "mit_b0"}, "option encoder='mit_b0' cannot be used here .* choose another"),
        ("unet_resnet", {"encoder": "xception", "pretrained": "imagenet"}, "xception has no ImageNet weights for colo"),
        ("segformer", {"pretrained": "cityscapes"}, "pretrained='cityscapes'; expected one of none, imagenet"),
    ],
)
def test_wrong_options_are_refused(name, options, match):
    with pytest.raises(InputError, match=match):
        build_network(name, options, 2)
