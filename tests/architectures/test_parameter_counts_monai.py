"""Numbers of parameters, counted by hand from the papers' widths, or as the libraries and papers publish them."""

import pytest
import torch
from torch import nn

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.networks import build_network


def parameter_count(name: str, options: dict | None = None, outputs: int = 2) -> int:
    options = options or {}
    return count(build_network(name, options, outputs, has_maps=options.get("map_branch", False)))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def conv(inputs: int, outputs: int, side: int = 3, bias: bool = True) -> int:
    return inputs * outputs * side**2 + outputs * bias


def test_unet_has_the_widths_of_its_paper():
    # Two convolutions with instance norm (scale and shift) at each of five levels down and four up, 2x2 upwards
    # convolutions between, a 1x1 convolution last. MONAI's last upward convolution alone does not halve the channels.
    def level(inputs: int, outputs: int) -> int:
        return conv(inputs, outputs) + conv(outputs, outputs) + 4 * outputs

    down = level(3, 64) + level(64, 128) + level(128, 256) + level(256, 512) + level(512, 1024)
    up = sum(conv(2 * w, w, 2) + level(2 * w, w) for w in (512, 256, 128))
    up += conv(128, 128, 2) + level(64 + 128, 64)
    assert parameter_count("unet") == down + up + conv(64, 2, 1)


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
    assert parameter_count("unet_small") == total
    assert total == pytest.approx(1.6e6, rel=0.02)


@pytest.mark.parametrize("depth", ["50", "101"])
def test_deeplab_has_the_parameters_that_torchvision_publishes(depth):
    from torchvision.models import get_model_weights

    published = get_model_weights(f"deeplabv3_resnet{depth}").DEFAULT.meta["num_params"]
    name = f"deeplabv3_resnet{depth}"
    assert parameter_count(name, {"auxiliary": True}, outputs=21) == published
    auxiliary = conv(1024, 256, bias=False) + 2 * 256 + conv(256, 21, 1)
    assert parameter_count(name, outputs=21) == published - auxiliary


def test_unet_efficientnet_b0_has_the_published_encoder_and_a_decoder_of_its_widths():
    from torchvision.models import EfficientNet_B0_Weights

    published = EfficientNet_B0_Weights.DEFAULT.meta["num_params"]
    encoder = published - conv(320, 1280, 1, bias=False) - 2 * 1280 - conv(1280, 1000, 1)  # less what classifies

    def level(inputs: int, skip: int, outputs: int) -> int:  # 1x1 to half, enlarged; two convolutions with batch norm
        joined = inputs // 2 + skip
        first, second = conv(joined, outputs, bias=False), conv(outputs, outputs, bias=False)
        return conv(inputs, inputs // 2, 1) + first + second + 4 * outputs

    decoder = level(320, 112, 256) + level(256, 40, 128) + level(128, 24, 64) + level(64, 16, 32)
    decoder += conv(32, 16, bias=False) + conv(16, 16, bias=False) + 4 * 16  # at full size, without skip
    assert parameter_count("unet_efficientnet_b0") == encoder + decoder + conv(16, 2)


def test_segresnet_has_the_parameters_of_its_levels():
    def block(width: int) -> int:  # two convolutions without bias, each behind a group norm
        return 2 * conv(width, width, bias=False) + 4 * width

    encoder = conv(3, 32, bias=False) + block(32) + 2 * block(64) + 2 * block(128) + 4 * block(256)
    encoder += sum(conv(width, 2 * width, bias=False) for width in (32, 64, 128))
    decoder = sum(conv(2 * width, width, 1, bias=False) + block(width) for width in (128, 64, 32))
    assert parameter_count("segresnet") == encoder + decoder + conv(32, 2, 1)
    heads = conv(64, 2, 1) + conv(128, 2, 1)
    assert parameter_count("segresnet", {"supervision_levels": 3}) == encoder + decoder + conv(32, 2, 1) + heads


@pytest.mark.parametrize("width", [12, 24])
def test_swin_unetr_has_the_parameters_of_its_stages(width):
    def stage(dim: int, heads: int) -> int:  # two blocks of attention and perceptron, then patches merged by four
        attention = conv(dim, 3 * dim, 1) + conv(dim, dim, 1) + 13**2 * heads  # offsets in a window of 7: -6 to 6
        perceptron = conv(dim, 4 * dim, 1) + conv(4 * dim, dim, 1)
        return 2 * (attention + perceptron + 4 * dim) + 8 * dim + conv(4 * dim, 2 * dim, 1, bias=False)

    def residual(inputs: int, outputs: int) -> int:  # norms have no parameters; 1x1 shortcut where channels change
        shortcut = conv(inputs, outputs, 1, bias=False) if inputs != outputs else 0
        return conv(inputs, outputs, bias=False) + conv(outputs, outputs, bias=False) + shortcut

    def up(inputs: int, outputs: int) -> int:
        return conv(inputs, outputs, 2, bias=False) + residual(2 * outputs, outputs)

    transformer = conv(3, width, 2) + sum(stage(width * 2**level, 3 * 2**level) for level in range(4))
    skips = residual(3, width) + sum(residual(factor * width, factor * width) for factor in (1, 2, 4, 16))
    decoder = sum(up(2 * factor * width, factor * width) for factor in (8, 4, 2, 1)) + up(width, width)
    assert parameter_count("swin_unetr", {"width": width}) == transformer + skips + decoder + conv(width, 2, 1)


def test_hovernet_has_the_published_number_of_parameters():
    # 37.64 million in its fast mode with five types of nuclei, as the literature quotes it.
    five_types = {"map_branch": True, "mode": "fast"}
    assert parameter_count("hovernet", five_types, outputs=6 + 2) == pytest.approx(37.64e6, abs=5e3)


@pytest.mark.parametrize("mode", ["original", "fast"])
def test_hovernet_has_the_parameters_of_monai_less_the_branches_left_out(mode):
    from monai.networks.nets import HoVerNet

    both = HoVerNet(mode=mode, np_out_channels=2, out_classes=3)
    whole = count(both)
    assert parameter_count("hovernet", {"map_branch": True, "mode": mode}, outputs=4 + 2) == whole
    without_maps = whole - count(both.horizontal_vertical)
    assert parameter_count("hovernet", {"mode": mode}, outputs=4) == without_maps
    assert parameter_count("hovernet", {"mode": mode}, outputs=2) == without_maps - count(both.type_prediction)


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("unet", {"width": 0}, "unet: option width=0; expected a whole number"),
        ("segresnet", {"width": 12}, "segresnet: option width=12; expected a multiple of 8"),
        ("segresnet", {"supervision_levels": 4}, "option supervision_levels=4; expected 1 to 3"),
        ("swin_unetr", {"width": 32}, "swin_unetr: option width=32; expected a multiple of 12"),
        ("hovernet", {"mode": "padded"}, "hovernet: option mode='padded'; expected one of original, fast"),
        (
            "hovernet",
            {"map_branch": True},
            "hovernet: option map_branch=True, but the loss has no term of instance maps",
        ),
    ],
)
def test_wrong_option_values_are_refused(name, options, match):
    with pytest.raises(InputError, match=match):
        build_network(name, options, 2)


def test_a_map_branch_follows_the_loss():
    stated = count(build_network("hovernet", {"mode": "fast", "map_branch": True}, 6, has_maps=True))
    assert count(build_network("hovernet", {"mode": "fast"}, 6, has_maps=True)) == stated
    assert parameter_count("hovernet", {"mode": "fast"}, 6) != stated
    with pytest.raises(InputError, match="hovernet: 2 outputs with map_branch=True; expected two classes at least"):
        build_network("hovernet", {"mode": "fast"}, 2, has_maps=True)


def monais(name: str) -> nn.Module:
    from monai.networks import nets

    if name == "unet":
        return nets.BasicUNet(2, 3, 4, features=(8, 16, 32, 64, 128, 8))
    return nets.UNet(2, 3, 4, (16, 32, 64, 128, 256), (2, 2, 2, 2), num_res_units=2, norm="INSTANCE")


@pytest.mark.parametrize(("name", "options"), [("unet", {"width": 8}), ("unet_small", {})])
def test_the_u_nets_are_monais_layer_by_layer(name, options):
    torch.manual_seed(0)
    ours, theirs = plugins.load("architectures", name)(4, **options), monais(name)
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    assert [one.shape for one, _ in pairs] == [other.shape for _, other in pairs]
    with torch.no_grad():
        for one, other in pairs:
            one.copy_(other)
    images = torch.randn(2, 3, 64, 96)
    gradients = []
    for network in (ours, theirs):
        output = network(images)
        (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-2)
