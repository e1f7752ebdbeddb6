"""Models are built by name for images of any size, saved with a card and loaded from it alone; damage is noticed."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from histoloom.errors import InputError
from histoloom.networks import (
    AnySize,
    Standardised,
    build_network,
    encoder_of,
    load_model,
    network_input,
    resolve_precision,
    save_model,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
CLASSES = ["background", "nucleus"]
CARD = {"network": "unet", "options": {"width": 2}, "classes": CLASSES, "score": 0.5, "tile_px": 32}


class Recorder(nn.Module):
    """Gives twice the red and green of an image, and keeps what it saw."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen = images
        return 2 * images[:, :2]


class Pyramid(nn.Module):
    """Gives red, and in training mode also the means of its blocks of 2 and of 8 pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        red = images[:, :1]
        return [red, *(nn.functional.avg_pool2d(red, side) for side in (2, 8))] if self.training else red


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    network = build_network("unet", {"width": 2}, 2).eval()
    save_model(tmp_path / "model.safetensors", network.state_dict(), CARD)
    return network, tmp_path / "model.safetensors"


@pytest.mark.parametrize(("units", "layout"), [(True, torch.channels_last), (False, torch.contiguous_format)])
def test_bytes_become_minus_one_to_one_in_the_layout_that_suits_the_processor(monkeypatch, units, layout):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": units})
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(2, 32, 64, 3).contiguous()
    inputs = network_input(images)
    assert inputs.shape == (2, 3, 32, 64)
    assert inputs[0, :, 0, 0].tolist() == pytest.approx([-1, -0.6, 1])  # 51 / 127.5 = 0.4
    assert inputs.is_contiguous(memory_format=layout)


def test_a_loaded_model_is_the_saved_one(model):
    network, path = model
    loaded, card = load_model(path)
    assert card == CARD
    assert not loaded.training
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(loaded(images), network(images))


def test_a_standardised_network_sees_each_channel_less_its_mean_in_units_of_its_deviation(tmp_path):
    torch.manual_seed(0)
    plain = build_network("unet", {"width": 2}, 2).eval()
    colours = {"mean": [0.6, 0.4, 0.8], "sd": [0.2, 0.1, 0.05]}
    card = {**CARD, "colours": colours}
    standardised = build_network("unet", {"width": 2}, 2, colours).eval()
    standardised.network.load_state_dict(plain.state_dict())
    save_model(tmp_path / "model.safetensors", standardised.state_dict(), card)
    bytes_ = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    by_hand = (bytes_.double() / 255 - torch.tensor(colours["mean"])) / torch.tensor(colours["sd"])
    expected = plain(by_hand.float().permute(0, 3, 1, 2))
    for network in (standardised, load_model(tmp_path / "model.safetensors")[0]):
        torch.testing.assert_close(network(network_input(bytes_)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(33, 47), (1, 64), (96, 31)])
def test_an_image_of_any_size_is_continued_by_its_edge_to_multiples_of_32_and_cut_back(height, width):
    images, network = torch.rand(2, 3, height, width), Recorder()
    output = AnySize(network)(images)
    assert torch.equal(output, 2 * images[:, :2])
    edges = ((0, 0), (0, 0), (0, -height % 32), (0, -width % 32))
    np.testing.assert_array_equal(network.seen.numpy(), np.pad(images.numpy(), edges, mode="edge"))


def test_an_image_whose_sides_fit_is_not_copied():
    images, network = torch.rand(1, 3, 64, 32).contiguous(memory_format=torch.channels_last), Recorder()
    AnySize(network)(images)
    assert network.seen is images


@pytest.mark.parametrize(("height", "width"), [(33, 50), (64, 32)])
def test_coarser_outputs_come_enlarged_to_the_image_finest_first_and_only_in_training(height, width):
    network, images = AnySize(Pyramid()), torch.rand(2, 3, height, width)
    fine, *coarse = network.train()(images)
    assert torch.equal(fine, images[:, :1])
    padded = np.pad(images[:, 0].numpy(), ((0, 0), (0, -height % 32), (0, -width % 32)), mode="edge")
    for side, output in zip((2, 8), coarse, strict=True):
        assert output.shape == (2, 1, height, width)
        rows, columns = padded.shape[1] // side, padded.shape[2] // side
        blocks = padded.reshape(2, rows, side, columns, side).mean(axis=(2, 4))
        size = (padded.shape[2], padded.shape[1])
        expected = [cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)[:height, :width] for image in blocks]
        np.testing.assert_allclose(output[:, 0].numpy(), expected, atol=1e-5)
    assert torch.equal(network.eval()(images), images[:, :1])


def test_a_built_network_gives_on_odd_sides_what_it_gives_on_the_continued_image(model):
    network, _ = model
    images = torch.rand(1, 3, 37, 70)
    continued = torch.from_numpy(np.pad(images.numpy(), ((0, 0), (0, 0), (0, 27), (0, 26)), mode="edge"))
    with torch.inference_mode():
        assert torch.equal(network(images), network(continued)[..., :37, :70])


@pytest.mark.parametrize("wrap", [AnySize, lambda network: Standardised(AnySize(network), [0.5] * 3, [0.2] * 3)])
def test_the_encoder_is_found_behind_what_a_network_is_wrapped_in(wrap):
    class WithEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.ModuleDict({"stem": nn.Conv2d(3, 2, 1)})

        @property
        def encoder(self) -> nn.Module:
            return self.body["stem"]

    network = WithEncoder()
    assert encoder_of(wrap(network), "mine") is network.body["stem"]


def test_a_network_without_an_encoder_is_named_with_the_cure(model):
    expected = "architecture unet: has no encoder; expected one that can be frozen; set train.freeze_encoder_epochs: 0"
    with pytest.raises(InputError, match=expected):
        encoder_of(model[0], "unet")
    recorder = Recorder()
    recorder.encoder = "resnet18"  # a name is nothing that could be frozen
    with pytest.raises(InputError, match="architecture mine: has no encoder"):
        encoder_of(AnySize(recorder), "mine")


def test_a_card_with_maps_loads_a_network_of_two_more_channels(tmp_path):
    torch.manual_seed(0)
    network = build_network("unet", {"width": 2}, 4).eval()
    save_model(tmp_path / "model.safetensors", network.state_dict(), CARD | {"has_maps": True})
    loaded, _ = load_model(tmp_path / "model.safetensors")
    images = torch.rand(1, 3, 32, 32)
    assert loaded(images).shape == (1, 4, 32, 32)
    assert torch.equal(loaded(images), network(images))
    save_model(tmp_path / "model.safetensors", network.state_dict(), CARD | {"has_maps": False})
    with pytest.raises(InputError, match="do not fit its network unet"):
        load_model(tmp_path / "model.safetensors")


def test_the_same_model_has_the_same_bytes(model, tmp_path):
    network, path = model
    save_model(tmp_path / "again.safetensors", network.state_dict(), CARD)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_card_that_is_not_json_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_model(tmp_path / "model.safetensors", {}, {"score": torch.tensor(1.0)})
    assert list(tmp_path.iterdir()) == []


def test_missing_model_is_named(tmp_path):
    with pytest.raises(InputError, match=r"model\.safetensors: no such model"):
        load_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize("kept", [0, 10, 1000])
def test_truncated_model_is_named(model, kept):
    _, path = model
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read as a model"):
        load_model(path)


def test_one_changed_weight_byte_is_noticed(model):
    network, path = model
    content = bytearray(path.read_bytes())
    weights = network.state_dict()["network.first.0.weight"].numpy().tobytes()
    place = content.find(weights)
    assert place > 0
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged or foreign"):
        load_model(path)


@pytest.mark.parametrize("card", [{"weights": 1}, {"network": "unet"}, CARD | {"classes": "ab"}, CARD | {"mpp": "1"}])
def test_a_card_that_says_too_little_is_named(tmp_path, card):
    save_model(tmp_path / "other.safetensors", {}, card)
    with pytest.raises(InputError, match=r"other\.safetensors: holds no model of histoloom"):
        load_model(tmp_path / "other.safetensors")


def test_weights_of_another_width_are_refused(model, tmp_path):
    network, _ = model
    save_model(tmp_path / "wide.safetensors", network.state_dict(), {**CARD, "options": {"width": 3}})
    with pytest.raises(InputError, match=r"do not fit its network unet with options \{'width': 3\}"):
        load_model(tmp_path / "wide.safetensors")


def test_misspelt_network_and_option_list_the_choices():
    with pytest.raises(InputError, match="unknown architectures 'unet_smal'; did you mean 'unet_small'"):
        build_network("unet_smal", {}, 2)
    with pytest.raises(InputError, match="architecture unet: unknown option 'widht'; did you mean 'width'"):
        build_network("unet", {"widht": 8}, 2)


def test_precision_is_what_the_device_computes_in(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx2": True})
    assert resolve_precision("auto", CPU) is torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert resolve_precision("auto", CPU) is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert resolve_precision("auto", CUDA) is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert resolve_precision("auto", CUDA) is torch.float16


def test_precision_asked_for_is_given_or_refused():
    assert resolve_precision("bfloat16", CPU) is torch.bfloat16
    assert resolve_precision("float16", CUDA) is torch.float16
    with pytest.raises(InputError, match="precision float16 on a CPU"):
        resolve_precision("float16", CPU)
    with pytest.raises(InputError, match="precision 'bfloat'; did you mean 'bfloat16'"):
        resolve_precision("bfloat", CPU)
