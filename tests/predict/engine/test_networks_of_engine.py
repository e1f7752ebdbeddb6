"""Several networks, turned tiles, folded batch norms: what goes through the engine's networks, and what comes out."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from histoloom.errors import InputError
from histoloom.networks import build_network, save_model
from histoloom.predict.engine import batch_choice
from histoloom.predict.engine.ensemble import load_ensemble
from histoloom.predict.engine.inference_form import cast_weights, folded
from tests.predict.engine.engine_case import (
    CARD,
    TILE,
    by_definition,
    made_engine,
    made_network,
    noise,
    swept,
    tile_values,
)

IMAGE = noise(40, 55)


def test_an_ensemble_gives_the_mean_of_probabilities_and_maps_not_of_logits():
    networks = [made_network(seed) for seed in range(3)]
    found = swept(made_engine(*networks), IMAGE)
    expected = by_definition(lambda tile: np.mean([tile_values(each, tile) for each in networks], 0), IMAGE, 4, "hann")
    assert np.abs(found - expected).max() < 1e-5


def turned_values(network, tile):
    """Mean over quarter turns of a tile and of its mirror image, by NumPy; maps as parts (x, y) of a direction."""
    total = 0
    for quarters in range(4):
        for is_mirrored in (False, True):
            laid = np.rot90(tile[:, ::-1] if is_mirrored else tile, quarters)
            values = np.rot90(tile_values(network, laid), -quarters)
            # A quarter turn to the left takes what points right (x) to what points up (-y), y being down.
            x, y = values[..., 3], values[..., 4]
            for _ in range(quarters):
                x, y = -y, x
            x = -x if is_mirrored else x
            back = np.dstack([values[..., :3], x, y])
            total = total + (back[:, ::-1] if is_mirrored else back)
    return total / 8


def test_test_time_augmentation_is_the_mean_over_eight_turned_tiles():
    network = made_network()
    found = swept(made_engine(network, tta=True), IMAGE)
    expected = by_definition(partial(turned_values, network), IMAGE, 4, "hann")
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found - swept(made_engine(network), IMAGE)).max() > 1e-3


class Slopes(nn.Module):
    """Maps that are the slopes of the red channel to the right and downwards, which turn as the tile is turned."""

    def forward(self, images):
        red = nn.functional.pad(images[:, :1], (1, 1, 1, 1), mode="replicate")
        right, down = red[..., 1:-1, 2:] - red[..., 1:-1, :-2], red[..., 2:, 1:-1] - red[..., :-2, 1:-1]
        return torch.cat([images, right, down], 1)


def test_maps_that_are_directions_in_the_tissue_are_not_changed_by_turning_tiles():
    plain, turned = (swept(made_engine(Slopes(), tta=tta), IMAGE) for tta in (False, True))
    assert np.abs(plain[..., 3:]).max() > 0.5
    assert np.abs(plain - turned).max() < 1e-5


class Residual(nn.Module):
    """Batch norms after convolutions, one of them transposed, one after a sum, and a shortcut that is added."""

    def __init__(self, is_shared=False):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.second, self.second_norm = nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.BatchNorm2d(8)
        self.sum_norm = nn.BatchNorm2d(8)
        self.up, self.up_norm = nn.ConvTranspose2d(8, 5, 2, stride=2), nn.BatchNorm2d(5)
        self.is_shared = is_shared

    def forward(self, images):
        raw = self.first(images)
        values = self.norm(raw).relu()
        values = self.sum_norm(values + self.second_norm(self.second(values)) + (raw if self.is_shared else 0))
        return self.up_norm(self.up(nn.functional.max_pool2d(values.relu(), 2)))


def trained(network):
    """With batch statistics and weights that are not those at the start."""
    generator = torch.Generator().manual_seed(0)
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        for values in (norm.weight.data, norm.running_var):
            values.uniform_(0.5, 2, generator=generator)
        for values in (norm.bias.data, norm.running_mean):
            values.uniform_(-1, 1, generator=generator)
    return network.eval()


def norms(network):
    return [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]


@torch.no_grad()
def test_batch_norms_right_after_convolutions_are_folded_and_values_stay():
    torch.manual_seed(0)
    network = trained(Residual())
    before, images = copy.deepcopy(network.state_dict()), torch.rand(2, 3, 32, 48)
    form = folded(network, TILE)
    assert norms(form) == ["sum_norm"]
    torch.testing.assert_close(form(images), network(images), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@torch.no_grad()
def test_a_network_that_uses_what_a_convolution_gave_elsewhere_too_stays_as_it_is():
    torch.manual_seed(0)
    network, images = trained(Residual(is_shared=True)), torch.rand(1, 3, 32, 32)
    form = folded(network, TILE)
    assert norms(form) == norms(network)
    assert torch.equal(form(images), network(images))


@torch.no_grad()
def test_a_layer_that_is_called_twice_is_not_folded():
    convolution, norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
    network = trained(nn.Sequential(convolution, norm, nn.ReLU(), convolution, nn.ReLU(), norm))
    images = torch.rand(1, 3, 32, 32)
    assert norms(folded(network, TILE)) == norms(network)
    torch.testing.assert_close(folded(network, TILE)(images), network(images))


@torch.no_grad()
def test_weights_kept_in_bfloat16_give_the_bits_that_autocast_gives():
    torch.manual_seed(0)
    network, images = build_network("unet", {"width": 4}, 3).eval(), torch.rand(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        expected = network(images)
        assert torch.equal(cast_weights(copy.deepcopy(network), torch.bfloat16)(images), expected)


def test_the_engine_leaves_a_given_network_alone():
    network = made_network()
    before = copy.deepcopy(network.state_dict())
    swept(made_engine(network, precision="bfloat16"), IMAGE)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["background", "nucleus"]}, r"classes \['background', 'nucleus'\]; expected \['background', 'st"),
        ({"tile_px": 48}, "tile_px 48; expected 24 as of .*0.safetensors, since models of an ensemble are averaged"),
        ({"mpp": 0.5}, "mpp 0.5; expected 0.25"),
        ({"downsample": 2}, "downsample 2; expected 1"),
    ],
)
def test_models_that_were_not_trained_alike_are_no_ensemble(tmp_path, changes, message):
    card = CARD | {"network": "unet", "options": {"width": 2}, "has_maps": False, "mpp": 0.25}
    for number, each in enumerate((card, card, card | changes)):
        network = build_network("unet", {"width": 2}, len(each["classes"]))
        save_model(tmp_path / f"{number}.safetensors", network.state_dict(), each)
    networks, found = load_ensemble([tmp_path / "0.safetensors", tmp_path / "1.safetensors"])
    assert len(networks) == 2
    assert found == card
    with pytest.raises(InputError, match=f"2.safetensors: {message}"):
        load_ensemble([tmp_path / f"{number}.safetensors" for number in range(3)])


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({1: 4.0, 2: 3.0, 4: 2.0, 8: 1.99, 16: 1.98}, 4),  # of sizes that are about as quick the smallest
        ({1: 4.0, 2: 3.0, 4: 2.0, 8: 1.5, 16: 1.6}, 8),
        ({1: 4.0, 2: 3.0, 4: torch.OutOfMemoryError("out of memory")}, 2),
    ],
)
def test_the_quickest_batch_that_fits_is_chosen(monkeypatch, seconds, expected):
    def measured(values, tiles):
        found = seconds[len(tiles)]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(batch_choice, "_seconds_a_tile", measured)
    assert batch_choice.quickest_batch_size(lambda tiles: tiles, 8, torch.device("cpu")) == expected


def test_other_errors_of_a_network_are_not_taken_for_lack_of_memory():
    def values(tiles):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        batch_choice.quickest_batch_size(values, 8, torch.device("cpu"))
