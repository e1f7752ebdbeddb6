"""Models are built by name, saved with their card and loaded from it alone; damage is noticed."""

import pytest
import torch

from histoloom.errors import InputError
from histoloom.networks import build_network, load_model, network_input, resolve_precision, save_model
from histoloom.targets import class_logits, class_probabilities, output_count

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
CLASSES = ["background", "nucleus"]
CARD = {"network": "unet", "options": {"width": 2}, "classes": CLASSES, "score": 0.5, "tile_px": 32}


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    network = build_network("unet", {"width": 2}, 2).eval()
    save_model(tmp_path / "model.pt", network.state_dict(), CARD)
    return network, tmp_path / "model.pt"


def test_bytes_become_minus_one_to_one_channels_last():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(2, 32, 64, 3).contiguous()
    inputs = network_input(images)
    assert inputs.shape == (2, 3, 32, 64)
    assert inputs[0, :, 0, 0].tolist() == pytest.approx([-1, -0.6, 1])  # 51 / 127.5 = 0.4
    assert inputs.is_contiguous(memory_format=torch.channels_last)


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
    save_model(tmp_path / "model.pt", standardised.state_dict(), card)
    bytes_ = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    by_hand = (bytes_.double() / 255 - torch.tensor(colours["mean"])) / torch.tensor(colours["sd"])
    expected = plain(by_hand.float().permute(0, 3, 1, 2))
    for network in (standardised, load_model(tmp_path / "model.pt")[0]):
        torch.testing.assert_close(network(network_input(bytes_)), expected, rtol=1e-4, atol=1e-4)


def test_the_same_model_has_the_same_bytes(model, tmp_path):
    network, path = model
    save_model(tmp_path / "again.pt", network.state_dict(), CARD)
    assert (tmp_path / "again.pt").read_bytes() == path.read_bytes()


def test_a_card_that_is_not_json_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_model(tmp_path / "model.pt", {}, {"score": torch.tensor(1.0)})
    assert list(tmp_path.iterdir()) == []


def test_missing_model_is_named(tmp_path):
    with pytest.raises(InputError, match=r"model\.pt: no such model"):
        load_model(tmp_path / "model.pt")


@pytest.mark.parametrize("kept", [0, 10, 1000])
def test_truncated_model_is_named(model, kept):
    _, path = model
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"model\.pt: cannot be read as a model"):
        load_model(path)


def test_one_changed_weight_byte_is_noticed(model):
    network, path = model
    content = bytearray(path.read_bytes())
    weights = network.state_dict()["conv_0.conv_0.conv.weight"].numpy().tobytes()
    place = content.find(weights)
    assert place > 0
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged or foreign"):
        load_model(path)


@pytest.mark.parametrize("content", [{"weights": 1}, {"state": {}, "card": {"network": "unet"}}, [1, 2]])
def test_foreign_file_is_named(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt: holds no model of histoloom"):
        load_model(tmp_path / "other.pt")


def test_weights_of_another_width_are_refused(model, tmp_path):
    network, _ = model
    save_model(tmp_path / "wide.pt", network.state_dict(), {**CARD, "options": {"width": 3}})
    with pytest.raises(InputError, match=r"do not fit its network unet with options \{'width': 3\}"):
        load_model(tmp_path / "wide.pt")


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


def test_probabilities_are_softmax_of_the_class_channels_in_float32():
    output = torch.zeros(1, 2, 1, 1, dtype=torch.bfloat16)
    output[0, 1] = 1
    probabilities = class_probabilities(output, CLASSES)
    assert probabilities.dtype is torch.float32
    assert probabilities[0, 1].item() == pytest.approx(0.7310586, abs=1e-7)  # 1 / (1 + 1/e)
    assert output_count(CLASSES) == 2
    assert class_logits(torch.zeros(1, 5, 2, 2), CLASSES).shape == (1, 2, 2, 2)
