"""Parameter counts of the networks after papers: by hand from their figures, and as published for the encoders."""

import pytest
from torchvision.models import get_model_weights

from histoloom.networks import build_network

CLASSIFIER = {"resnet34": 512 * 1000 + 1000, "resnet50": 2048 * 1000 + 1000, "resnet101": 2048 * 1000 + 1000}


def parameter_count(name: str, outputs: int, **options) -> int:
    return sum(parameter.numel() for parameter in build_network(name, options, outputs).parameters())


def published(encoder: str) -> int:
    """What torchvision states for a ResNet, without its classifier."""
    return get_model_weights(encoder).DEFAULT.meta["num_params"] - CLASSIFIER[encoder]


def conv(inputs: int, outputs: int, side: int = 3) -> int:
    return inputs * outputs * side**2 + outputs


def normed(inputs: int, outputs: int, side: int = 3) -> int:
    """A convolution without bias, and the scale and shift of a norm."""
    return inputs * outputs * side**2 + 2 * outputs


def twice(inputs: int, outputs: int) -> int:
    return normed(inputs, outputs) + normed(outputs, outputs)


def test_unet_resnet_has_two_convolutions_at_each_level_up():
    # Each level takes what comes from below and the encoder's features of its own size: 1/16, 1/8, 1/4, 1/2, none.
    up = twice(512 + 256, 256) + twice(256 + 128, 128) + twice(128 + 64, 64) + twice(64 + 64, 32) + twice(32, 16)
    assert parameter_count("unet_resnet", 2) == published("resnet34") + up + conv(16, 2)


def test_unetplusplus_has_a_node_for_each_pair_of_level_and_step():
    # Figure 1a: node (i, j) takes the j nodes before it on level i, and node (i + 1, j - 1) enlarged. Nodes are as wide
    # as the encoder's level, but those of the last diagonal, which are the decoder's.
    encoder = {1: 64, 2: 64, 3: 128, 4: 256, 5: 512}
    decoder = {1: 32, 2: 64, 3: 128, 4: 256}

    def width(level: int, step: int) -> int:
        return decoder[level] if step and level + step == 5 else encoder[level]

    nodes = [(level, step) for level in range(1, 5) for step in range(1, 6 - level)]
    grid = sum(twice(width(i + 1, j - 1) + j * encoder[i], width(i, j)) for i, j in nodes)
    assert parameter_count("unetplusplus", 2) == published("resnet34") + grid + twice(32, 16) + conv(16, 2)


def test_fpn_has_a_lateral_for_each_level_and_a_convolution_for_each_enlargement():
    lateral = sum(conv(width, 256, 1) for width in (64, 128, 256, 512))
    # From 1/32 to 1/4 of the side are three enlargements, from 1/4 none, but one convolution.
    enlarging = sum(normed(256, 128) + (steps - 1) * normed(128, 128) for steps in (3, 2, 1, 1))
    assert parameter_count("fpn", 2) == published("resnet34") + lateral + enlarging + conv(128, 2, 1)


def test_segformer_b0_has_the_parameters_of_its_paper():
    # Tables 1 and 6 of Xie et al. 2021: B0 has 3.8 million with the 150 classes of ADE20K.
    assert parameter_count("segformer", 150) == pytest.approx(3.8e6, rel=0.02)

    def stage(inputs: int, width: int, side: int, reduction: int) -> int:
        attention = 4 * conv(width, width, 1)
        if reduction > 1:
            attention += conv(width, width, reduction) + 2 * width
        mixing = conv(width, 4 * width, 1) + conv(1, 4 * width) + conv(4 * width, width, 1)
        block = attention + mixing + 4 * width  # a layer norm before each half
        return conv(inputs, width, side) + 2 * width + 2 * block + 2 * width

    encoder = stage(3, 32, 7, 8) + stage(32, 64, 3, 4) + stage(64, 160, 3, 2) + stage(160, 256, 3, 1)
    decoder = sum(conv(width, 256, 1) for width in (32, 64, 160, 256)) + normed(4 * 256, 256, 1)
    assert parameter_count("segformer", 150) == encoder + decoder + conv(256, 150, 1)


@pytest.mark.parametrize("encoder", ["resnet50", "resnet101"])
def test_refinenet_has_the_convolutions_of_its_blocks(encoder):
    def path(inputs: int, width: int, fuses: bool) -> int:  # to the width, two residual units of two, to the fusion
        return (conv(inputs, width) if inputs != width else 0) + (4 + fuses) * conv(width, width)

    def end(width: int) -> int:  # two chained poolings, one residual unit
        return 4 * conv(width, width)

    blocks = path(2048, 512, False) + end(512)
    blocks += path(1024, 256, True) + path(512, 256, True) + end(256)
    blocks += path(512, 256, True) + path(256, 256, True) + end(256)
    blocks += path(256, 256, True) + path(256, 256, True) + end(256)
    head = 4 * conv(256, 256) + conv(256, 2)
    assert parameter_count("refinenet", 2, encoder=encoder) == published(encoder) + blocks + head


@pytest.mark.parametrize("pooling", ["hartley", "mean"])
def test_inception_unet_has_three_filters_and_a_pooling_in_each_module(pooling):
    def module(inputs: int, width: int, beside: int = 0) -> int:
        filters = sum(normed(inputs, width, side) for side in (1, 3, 5))
        return filters + normed(2 * inputs, inputs, 1) + normed(3 * width + inputs + beside, width, 1)

    def pooled(width: int) -> int:  # maximum and the second kind beside each other
        return conv(2 * width, width, 1)

    down = module(3, 16) + module(16, 32) + module(32, 64) + module(64, 128)
    down += pooled(16) + pooled(32) + pooled(64) + pooled(128)
    bottom = module(128, 256, beside=3) + pooled(3)
    up = sum(conv(2 * width, width, 2) + module(2 * width, width) for width in (128, 64, 32, 16))
    assert parameter_count("inception_unet", 2, pooling=pooling) == down + bottom + up + conv(16, 2, 1)
