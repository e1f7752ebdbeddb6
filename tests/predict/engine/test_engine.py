"""What the engine gives of an image is the weighted mean over its tiles, wherever it starts and however it batches."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.predict.engine.handover import as_bytes
from histoloom.predict.engine.pixels import ImagePixels
from histoloom.predict.engine.seams import seam_index
from histoloom.predict.engine.tiling import OVERLAPS, WINDOWS
from histoloom.predict.probabilities import quantised, quantised_maps
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

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("height", "width"), [(61, 53), (5, 40), (1, 1), (24, 48), (150, 7)])
def test_values_equal_the_sum_over_all_tiles_in_float64(height, width, overlap, window):
    network, image = made_network(), noise(height, width)
    found = swept(made_engine(network, overlap=overlap, window=window), image)
    expected = by_definition(partial(tile_values, network), image, overlap, window)
    assert (found.dtype, found.shape) == (np.float32, (height, width, 5))
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found[..., :3].sum(axis=2) - 1).max() < 1e-6


def test_tiles_disagree_at_their_borders_or_else_nothing_would_be_proven():
    network, image = made_network(), noise(61, 53)
    one, four = (by_definition(partial(tile_values, network), image, overlap, "constant") for overlap in (1, 4))
    assert np.abs(one - four).max() > 0.05


@given(
    height=st.integers(1, 120),
    width=st.integers(1, 70),
    overlap=st.sampled_from(OVERLAPS),
    batch_size=st.integers(1, 40),
    share=st.floats(0, 1),
)
@settings(max_examples=25, deadline=None)
def test_a_sweep_that_starts_further_down_gives_the_same_bits(height, width, overlap, batch_size, share):
    engine, image = made_engine(overlap=overlap, batch_size=batch_size), noise(height, width)
    first_row = int(share * (height - 1))
    assert np.array_equal(swept(engine, image, first_row=first_row), swept(engine, image)[first_row:])


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_batch_size_changes_nothing_but_rounding(batch_size):
    image = noise(70, 45)
    one, other = (swept(made_engine(batch_size=size), image) for size in (4, batch_size))
    assert np.abs(one - other).max() < 1e-6


def test_a_grid_moved_by_a_stride_gives_the_same_interior():
    image, stride = noise(110, 100), TILE // 2
    whole, moved = swept(made_engine(), image), swept(made_engine(), image[stride:, stride:])
    inner = np.s_[TILE:-TILE, TILE:-TILE]
    assert np.abs(whole[stride:, stride:][inner] - moved[inner]).max() < 1e-6
    assert np.abs(whole[stride:, stride:] - moved).max() > 1e-3  # the mirrored border is another one


def test_a_window_larger_than_the_training_tile_is_a_definition_of_its_own():
    network, image = made_network(), noise(50, 70)
    found = swept(made_engine(network, window_px=40, overlap=16), image)
    expected = by_definition(partial(tile_values, network), image, 16, "hann", 40)
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found - swept(made_engine(network, overlap=16), image)).max() > 1e-3


def test_an_overlap_that_does_not_fit_the_window_is_refused_before_anything_is_computed():
    with pytest.raises(InputError, match="overlap 9 of tiles of 32 px; expected a tile_px divisible by 3"):
        made_engine(window_px=32, overlap=9)


def test_negative_sizes_are_refused():
    with pytest.raises(InputError, match="batch_size -1; expected 0 or more; set predict"):
        made_engine(batch_size=-1)
    with pytest.raises(InputError, match="window_px -64; expected 0 or more"):
        made_engine(window_px=-64)


def test_each_row_is_read_once_in_order_and_a_band_is_handed_on_before_more_is_read():
    class Watched(ImagePixels):
        read = 0

        def rows(self, first, last):
            assert first == self.read
            self.read = last
            return super().rows(first, last)

    pixels = Watched(noise(500, 10))
    engine = made_engine(batch_size=1, overlap=4)  # groups of two rows of tiles: 24 pixel rows
    for first, band in engine.sweep(pixels):
        assert pixels.read <= first + len(band) + TILE
    assert pixels.read == 500


def test_seams_show_with_tiles_edge_to_edge_and_vanish_where_they_overlap_under_a_window():
    # Smooth tissue: what differs across a border is then the tiles' own doing.
    rows, columns = np.mgrid[:192, :192]
    image = (127 + 60 * np.sin(rows / 9) + 60 * np.cos(columns / 7)).astype(np.uint8)[..., None].repeat(3, axis=2)
    edge_to_edge = swept(made_engine(overlap=1, window="constant"), image)
    blended = swept(made_engine(overlap=16, window="hann"), image)
    assert seam_index(edge_to_edge, TILE) > 2
    assert seam_index(blended, TILE // 4) == pytest.approx(1, abs=0.1)


def test_seam_index_is_the_ratio_of_mean_steps():
    # Steps of 3 across the border after row 4 and column 4, of 1 elsewhere.
    line = np.array([0, 1, 2, 3, 6, 7, 8, 9], float)
    assert seam_index((line[:, None] + line)[..., None], 4) == pytest.approx(3)
    assert seam_index(np.arange(12.0).reshape(12, 1, 1), 4) == pytest.approx(1)
    assert np.isnan(seam_index(np.zeros((12, 12, 1)), 4))


def test_bytes_are_rounded_as_those_of_images_are():
    values = torch.from_numpy(np.random.default_rng(0).uniform(-1.3, 1.3, (40, 50, 5)).astype(np.float32))
    values[..., :3] = values[..., :3].abs() / 1.3
    values[0, 0, :3] = torch.tensor([0.5 / 255, 1.5 / 255, 1.0])  # halves go to the even byte
    probabilities, maps = as_bytes(values, 3)
    assert np.array_equal(probabilities.numpy(), quantised(values[..., :3].numpy()))
    assert np.array_equal(maps.numpy(), quantised_maps(values[..., 3:].numpy()))
    assert as_bytes(values[..., :3], 3)[1].shape == (40, 50, 0)


def test_compiled_networks_are_given_full_batches_only(monkeypatch):
    shapes = set()

    class Compiled(torch.nn.Module):
        def __init__(self, network, dynamic):
            super().__init__()
            self.network = network

        def forward(self, tiles):
            shapes.add(tuple(tiles.shape))
            return self.network(tiles)

    monkeypatch.setattr(torch, "compile", Compiled)
    image = noise(61, 53)
    found = swept(made_engine(batch_size=5, compile=True), image)
    assert shapes == {(5, 3, TILE, TILE)}
    assert np.abs(found - swept(made_engine(batch_size=5), image)).max() < 1e-6


def test_a_batch_size_of_zero_is_chosen_once_and_serves_every_image(monkeypatch):
    asked = []

    def chosen(values, side_px, device):
        asked.append((values(torch.zeros(1, 3, side_px, side_px)).shape, device.type))
        return 6

    monkeypatch.setattr("histoloom.predict.engine.engine.quickest_batch_size", chosen)
    engine = made_engine(batch_size=0)
    swept(engine, noise(30, 30)), swept(engine, noise(20, 50))
    assert engine.batch_size == 6
    assert asked == [((1, 5, TILE, TILE), "cpu")]


def test_networks_without_maps_give_class_probabilities_alone():
    card = CARD | {"has_maps": False}
    assert swept(made_engine(made_network(outputs=3), card=card), noise(30, 40)).shape == (30, 40, 3)
