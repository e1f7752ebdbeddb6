"""Pretrained encoders: loaded exactly, or refused with the cure, and never random without a word."""

import inspect
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.networks import build_network, encoder_of
from histoloom.pretrained import ImageNetScaled, load_encoder
from tests.architectures.architecture_case import SMALL
from tests.architectures.pretrained_case import Trap, randomised

# ResNet-101 differs from 50 by a word, and any_network has a test of its own.
OWN = [
    name
    for name in plugins.names("architectures")
    if "pretrained" in plugins.options("architectures", name) and name not in ("deeplabv3_resnet101", "any_network")
]


def tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))


def never() -> dict:
    raise AssertionError("nothing is to be fetched")


def load(encoder: nn.Module, pretrained, fetch=never, **options) -> None:
    load_encoder(encoder, pretrained, "tiny_net", fetch, "/cache/tiny.pth or a connection to https://x.org", **options)


def outputs_of(name: str) -> int:
    return 5 if SMALL.get(name, {}).get("map_branch") else 3


def is_same(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return state.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in state.items())


@pytest.mark.parametrize("name", OWN)
def test_an_encoders_own_weights_come_back_from_a_file(name, tmp_path):
    options, path = SMALL.get(name, {}), tmp_path / "encoder.safetensors"
    encoder = encoder_of(build_network(name, options, outputs_of(name)), name)
    weights = randomised(encoder)
    save_file(weights, path)
    again = build_network(name, {**options, "pretrained": str(path)}, outputs_of(name))
    assert is_same(encoder_of(again, name).state_dict(), weights)
    assert not is_same(encoder.state_dict(), weights)


def test_a_network_computes_with_the_weights_of_its_file(tmp_path):
    def network(seed: int, **options) -> nn.Module:
        torch.manual_seed(seed)
        return build_network("unet_efficientnet_b0", options, 3).eval()

    weights = encoder_of(network(1), "unet_efficientnet_b0").state_dict()
    save_file(weights, tmp_path / "encoder.safetensors")
    plain, loaded = network(0), network(0, pretrained=str(tmp_path / "encoder.safetensors"))
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        assert not torch.equal(loaded(images), plain(images))
        encoder_of(plain, "unet_efficientnet_b0").load_state_dict(weights)
        assert torch.equal(loaded(images), plain(images))
        assert loaded(images).isfinite().all()


def test_without_pretraining_an_encoder_stays_as_it_is():
    encoder = tiny()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    load(encoder, "none")
    assert is_same(encoder.state_dict(), before)


@pytest.mark.parametrize("pretrained", ["coco", "", "weights.pth", "imagenet "])
def test_other_values_are_answered_with_the_choices(pretrained):
    with pytest.raises(InputError, match=r"tiny_net: option pretrained=.*; expected one of none, imagenet or the path"):
        load(tiny(), pretrained)


def test_imagenet_takes_what_is_fetched():
    encoder, weights = tiny(), randomised(tiny())
    load(encoder, "imagenet", lambda: weights)
    assert is_same(encoder.state_dict(), weights)


def test_counters_of_batch_norm_may_be_missing_for_old_files_lack_them():
    encoder, weights = tiny(), randomised(tiny())
    load(encoder, "imagenet", lambda: {name: value for name, value in weights.items() if "num_batches" not in name})
    assert is_same(encoder.state_dict(), weights)


def test_only_a_stated_classifier_may_be_left_out():
    encoder, weights = tiny(), randomised(tiny()) | {"fc.weight": torch.zeros(9, 4)}
    with pytest.raises(InputError, match=r"found 1 unexpected \(fc.weight\)"):
        load(encoder, "imagenet", lambda: weights)
    load(encoder, "imagenet", lambda: weights, ignored=("fc.",))
    assert torch.equal(encoder[0].weight, weights["0.weight"])


def test_names_and_shapes_that_do_not_fit_are_named(tmp_path):
    save_file({"0.weight": torch.zeros(5, 3, 3, 3), "one": torch.zeros(1)}, tmp_path / "w.safetensors")
    encoder = tiny()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with pytest.raises(InputError, match=r"w\.safetensors: do not fit the encoder") as caught:
        load(encoder, str(tmp_path / "w.safetensors"))
    message = str(caught.value)
    assert "4 missing (1.bias, 1.running_mean, 1.running_var, ...)" in message
    assert "1 unexpected (one)" in message
    assert "1 of another shape (0.weight 5x3x3x3 for 4x3x3x3)" in message
    assert len(message.splitlines()) <= 4
    assert is_same(encoder.state_dict(), before)


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(kept, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(randomised(tiny()), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"w\.safetensors: cannot be read .*; expected a whole \.safetensors file"):
        load(tiny(), str(path))


@pytest.mark.parametrize("dump", [pickle.dump, torch.save])
def test_a_pickle_in_disguise_is_refused_and_not_executed(dump, tmp_path):
    with (tmp_path / "w.safetensors").open("wb") as file:
        dump({"0.weight": Trap(tmp_path / "executed")}, file)
    with pytest.raises(InputError, match="cannot be read"):
        load(tiny(), str(tmp_path / "w.safetensors"))
    assert not (tmp_path / "executed").exists()


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"w\.safetensors: no such file; expected weights of its encoder"):
        load(tiny(), str(tmp_path / "w.safetensors"))
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(InputError, match=r"folder\.safetensors: no such file"):
        load(tiny(), str(tmp_path / "folder.safetensors"))


@pytest.mark.parametrize(
    "error", [OSError("no connection"), RuntimeError("invalid hash value"), ConnectionError(), EOFError(), ValueError()]
)
def test_weights_that_cannot_be_fetched_are_an_error_with_its_cure(error):
    def fails():
        raise error

    with pytest.raises(InputError, match="tiny_net: ImageNet weights cannot be loaded") as caught:
        load(tiny(), "imagenet", fails)
    message = str(caught.value)
    assert (str(error) or type(error).__name__) in message
    assert "expected /cache/tiny.pth" in message
    assert len(message.splitlines()) <= 4


def test_colours_are_scaled_as_torchvision_does():
    from torchvision.models import ResNet50_Weights
    from torchvision.transforms.functional import normalize

    colours = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    preset = ResNet50_Weights.IMAGENET1K_V2.transforms()
    expected = normalize(colours, preset.mean, preset.std)
    torch.testing.assert_close(ImageNetScaled(nn.Identity())(2 * colours - 1), expected)


def test_the_scaled_network_shows_its_encoder():
    network = nn.Sequential()
    network.encoder = tiny()
    assert ImageNetScaled(network).encoder is network.encoder
    assert getattr(ImageNetScaled(nn.Identity()), "encoder", None) is None


@pytest.mark.parametrize("name", OWN)
def test_nothing_is_pretrained_unless_asked_for(name):
    assert inspect.signature(plugins.load("architectures", name)).parameters["pretrained"].default == "none"
