"""What every architecture in the folder has to do, and how many parameters its source gives it."""

import pytest
import torch

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.networks import build_network

OPTIONS = {"unet": {"width": 8}}  # smaller than the default, for speed
NAMES = plugins.names("architectures")


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def built(name: str, outputs: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network(name, OPTIONS.get(name, {}), outputs)


def parameter_count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), [(32, 64), (96, 32)])
def test_output_has_the_size_of_the_input(name, height, width):
    with torch.inference_mode():
        output = built(name).eval()(torch.zeros(2, 3, height, width))
    assert output.shape == (2, 3, height, width)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name):
    network = built(name).train()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    output = network(images)
    (output * torch.randn(output.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert torch.isfinite(parameter.grad).all(), label
        # A bias before a norm has no effect, so only kernels must feel something.
        assert parameter.ndim == 1 or parameter.grad.any(), label


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_deterministic_and_does_not_depend_on_the_batch(name):
    network = built(name).eval()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = network(images)
        assert torch.equal(network(images), together)
        assert torch.allclose(network(images[:1]), together[:1], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_state_carries_everything(name):
    first, second = built(name).eval(), build_network(name, OPTIONS.get(name, {}), 3).eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert not torch.equal(first(images), second(images))
        second.load_state_dict(first.state_dict())
        assert torch.equal(first(images), second(images))


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_close_to_float32(name):
    network = built(name).eval()
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        exact = network(images)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(images)
    assert rounded.dtype is torch.bfloat16
    assert torch.nn.functional.cosine_similarity(exact.flatten(), rounded.float().flatten(), dim=0) > 0.99


@pytest.mark.parametrize("name", NAMES)
def test_building_is_silent(name, capsys):
    built(name)
    assert capsys.readouterr().out == ""


def conv(inputs: int, outputs: int, side: int = 3) -> int:
    return inputs * outputs * side**2 + outputs


def test_unet_has_the_widths_of_its_paper():
    # Two convolutions with instance norm (scale and shift) at each of five levels down and four up, 2x2 upwards
    # convolutions between, a 1x1 convolution last. MONAI's last upward convolution alone does not halve the channels.
    def level(inputs: int, outputs: int) -> int:
        return conv(inputs, outputs) + conv(outputs, outputs) + 4 * outputs

    down = level(3, 64) + level(64, 128) + level(128, 256) + level(256, 512) + level(512, 1024)
    up = sum(conv(2 * w, w, 2) + level(2 * w, w) for w in (512, 256, 128))
    up += conv(128, 128, 2) + level(64 + 128, 64)
    assert parameter_count(build_network("unet", {}, 2)) == down + up + conv(64, 2, 1)


def test_deeplab_has_the_parameters_that_torchvision_publishes():
    from torchvision.models.segmentation import DeepLabV3_ResNet50_Weights

    published = DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1.meta["num_params"]
    auxiliary = 1024 * 256 * 9 + 2 * 256 + conv(256, 21, 1)  # the head for training that we leave out
    assert parameter_count(build_network("deeplabv3_resnet50", {}, 21)) == published - auxiliary


def test_unet_small_has_the_parameters_of_its_levels():
    # Residual units of two convolutions, each with one PReLU slope, and a shortcut that is a convolution wherever the
    # size or the number of channels changes: 3x3 with stride 2 down, 1x1 at the bottom, none where nothing changes.
    def convolution(inputs: int, outputs: int) -> int:
        return conv(inputs, outputs) + 1

    def down(inputs: int, outputs: int) -> int:
        return convolution(inputs, outputs) + convolution(outputs, outputs) + conv(inputs, outputs)

    bottom = convolution(128, 256) + convolution(256, 256) + conv(128, 256, 1)

    def up(inputs: int, outputs: int) -> int:  # transposed convolution, then a residual unit of one convolution
        return convolution(inputs, outputs) + convolution(outputs, outputs)

    last = convolution(32, 2) + conv(2, 2)  # the logits leave without norm and activation
    total = down(3, 16) + down(16, 32) + down(32, 64) + down(64, 128) + bottom
    total += up(384, 64) + up(128, 32) + up(64, 16) + last
    assert parameter_count(build_network("unet_small", {}, 2)) == total
    assert total == pytest.approx(1.6e6, rel=0.02)


def test_imagenet_weights_that_cannot_be_had_are_an_error_with_its_cure(monkeypatch, tmp_path):
    def unreachable(*_, **__):
        raise OSError("no connection")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="ImageNet weights cannot be loaded") as caught:
        build_network("deeplabv3_resnet50", {"pretrained": "imagenet"}, 2)
    assert "no connection" in str(caught.value)
    assert str(tmp_path / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth") in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 4


def test_imagenet_weights_that_are_found_are_used(monkeypatch):
    from torchvision.models import resnet50

    torch.manual_seed(5)
    cached = resnet50().state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: cached)
    network = build_network("deeplabv3_resnet50", {"pretrained": "imagenet"}, 2)
    assert torch.equal(network.state_dict()["network.backbone.conv1.weight"], cached["conv1.weight"])


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("unet", {"width": 0}, "option width=0; expected a whole number"),
        ("deeplabv3_resnet50", {"pretrained": "coco"}, "option pretrained='coco'; expected one of none, imagenet"),
    ],
)
def test_wrong_option_values_are_refused(name, options, match):
    with pytest.raises(InputError, match=match):
        build_network(name, options, 2)
