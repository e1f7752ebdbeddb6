"""Images of any size come back with probabilities and instance maps on their own grid, whatever the tiles were."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from histoloom.errors import InputError
from histoloom.networks import build_network
from histoloom.predict.engine.engine import Engine, EngineSettings
from histoloom.predict.engine.tiling import OVERLAPS, WINDOWS
from histoloom.predict.inference import predict_image
from tests.predict.engine.engine_case import by_definition, noise

CLASSES = ["background", "nucleus"]


class Redness(torch.nn.Module):
    """Logit of class 1 is the red channel in [-1, 1], of class 0 none: a known function of each pixel alone."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.zeros_like(images[:, 0]), images[:, 0]], dim=1)


class RednessAndMaps(Redness):
    """The same, with green and blue in [-1, 1] as horizontal and vertical map."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([super().forward(images), images[:, 1:]], dim=1)


class TiltedMaps(torch.nn.Module):
    """Maps of which each tile says something else: they rise along the columns of the tile, times green and blue."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        slope = torch.arange(images.shape[3]) / images.shape[3]
        return torch.cat([0 * images[:, :2], slope * images[:, 1:]], dim=1)


def engine_of(network, *, classes=CLASSES, tile_px=12, downsample=1, has_maps=False, **settings):
    card = {"classes": classes, "tile_px": tile_px, "downsample": downsample, "has_maps": has_maps}
    values = {"overlap": 4, "window": "hann", "batch_size": 3, "precision": "float32"} | settings
    return Engine([network], card, EngineSettings(**values), torch.device("cpu"))


def both(image, *, network=None, **settings):
    return predict_image(engine_of(network or Redness(), **settings), image)


def predicted(image, **settings):
    probabilities, maps = both(image, **settings)
    assert maps is None
    return probabilities


def in_units_of_networks(values):
    return values.astype(float) / 127.5 - 1


def probability_of_red(red):
    return 1 / (1 + np.exp(-in_units_of_networks(red)))


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("height", "width"), [(25, 31), (5, 40), (1, 1), (24, 12)])
def test_a_function_of_single_pixels_is_found_exactly(height, width, overlap, window):
    image = noise(height, width)
    probabilities = predicted(image, overlap=overlap, window=window)
    assert probabilities.shape == (height, width, 2)
    assert np.abs(probabilities[..., 1] - probability_of_red(image[..., 0])).max() < 1e-5
    assert np.abs(probabilities.sum(axis=2) - 1).max() < 1e-6


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize(("height", "width"), [(25, 31), (5, 40), (1, 1)])
def test_maps_of_single_pixels_are_found_exactly_beside_the_same_probabilities(height, width, overlap):
    image = noise(height, width)
    probabilities, maps = both(image, network=RednessAndMaps(), has_maps=True, overlap=overlap)
    assert (maps.shape, maps.dtype) == ((height, width, 2), np.float32)
    assert np.abs(maps - in_units_of_networks(image[..., 1:])).max() < 1e-5
    assert np.abs(probabilities - predicted(image, overlap=overlap)).max() < 1e-6


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("height", "width"), [(25, 31), (7, 13)])
def test_maps_that_tiles_disagree_on_become_their_weighted_mean(height, width, window):
    image = noise(height, width)
    _, maps = both(image, network=TiltedMaps(), has_maps=True, overlap=9, window=window)
    slope = np.arange(12)[:, None] / 12
    expected = by_definition(lambda tile: in_units_of_networks(tile[..., 1:]) * slope, image, 9, window, 12)
    assert np.abs(maps - expected).max() < 1e-5
    assert np.abs(maps - in_units_of_networks(image[..., 1:])).max() > 0.1  # or else the tiles would agree


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize(("height", "width"), [(42, 36), (41, 35), (1, 2)])
def test_the_way_to_the_native_grid_is_linear_between_the_centres_of_blocks(height, width, factor):
    small = noise(-(-height // factor), -(-width // factor))
    image = small.repeat(factor, axis=0).repeat(factor, axis=1)[:height, :width].copy()
    probabilities, maps = both(image, network=RednessAndMaps(), has_maps=True, downsample=factor)
    places = (np.indices((height, width)) + 0.5) / factor - 0.5

    def enlarged(values):
        return ndimage.map_coordinates(values, places, order=1, mode="nearest")

    assert np.abs(probabilities[..., 1] - enlarged(probability_of_red(small[..., 0]))).max() < 1e-5
    for channel in (0, 1):
        expected = enlarged(in_units_of_networks(small[..., 1 + channel]))
        assert np.abs(maps[..., channel] - expected).max() < 1e-5


def test_maps_are_float32_whatever_the_network_computes_in():
    class Half(RednessAndMaps):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images).bfloat16()

    image = noise(20, 20)
    _, maps = both(image, network=Half(), has_maps=True, precision="bfloat16")
    assert maps.dtype == np.float32
    assert np.abs(maps - in_units_of_networks(image[..., 1:])).max() < 2**-8  # bfloat16 keeps 8 bits


@pytest.mark.parametrize(("height", "width"), [(48, 36), (41, 35)])
def test_downsampled_prediction_returns_to_the_native_grid(height, width):
    columns = np.linspace(0, 255, width)
    image = np.repeat(np.repeat(columns[None, :, None], height, axis=0), 3, axis=2).round().astype(np.uint8)
    probabilities = predicted(image, downsample=2)
    assert probabilities.shape == (height, width, 2)
    # Of a ramp, area means and linear interpolation give the ramp back but for rounding and the border pixels.
    inner = np.s_[:, 2:-2]
    assert np.abs(probabilities[..., 1] - probability_of_red(image[..., 0]))[inner].max() < 0.01
    assert np.abs(probabilities.sum(axis=2) - 1).max() < 1e-6


def test_one_tile_prediction_is_the_network_itself():
    torch.manual_seed(0)
    network = build_network("unet", {"width": 2}, 2).eval()
    image = noise(32, 32)
    settings = {"tile_px": 32, "overlap": 1, "window": "constant", "batch_size": 1}
    probabilities, _ = both(image, network=network, **settings)
    with torch.inference_mode():
        inputs = torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1
        expected = network(inputs).softmax(dim=1)[0].permute(1, 2, 0).numpy()
    assert np.abs(probabilities - expected).max() < 1e-5
    rounded, _ = both(image, network=network, **settings, precision="bfloat16")
    assert 0 < np.abs(rounded - expected).max() < 0.1


def test_a_network_that_gives_no_numbers_is_told():
    class Broken(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images[:, :2] * torch.nan

    with pytest.raises(InputError, match=r"gave no numbers \(NaN\) at some pixels; expected probabilities"):
        predicted(noise(20, 20), network=Broken())


def test_six_classes_stay_apart_on_the_way_to_the_native_grid():
    class Levels(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.arange(6.0).view(1, 6, 1, 1) + 0 * images[:, :1]

    probabilities, _ = both(noise(25, 31), network=Levels(), classes=list("abcdef"), downsample=2)
    expected = np.exp(np.arange(6)) / np.exp(np.arange(6)).sum()
    assert np.abs(probabilities - expected).max() < 1e-6
