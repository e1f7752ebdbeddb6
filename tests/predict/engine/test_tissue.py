"""With a tissue mask the engine gives tissue the values it has without one, and takes no notice of the rest."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.predict.engine.pixels import ImagePixels
from histoloom.predict.engine.tiling import OVERLAPS
from histoloom.predict.engine.tissue_mask import TissueMask
from tests.predict.engine.engine_case import TILE, by_definition, made_engine, made_network, noise, swept, tile_values

BACKGROUND = [1, 0, 0, 0, 0]


def tissue_pixels(mask, scale, height, width):
    """Mask pixels enlarged: the one in which each working pixel's centre lies."""
    rows, columns = (np.clip(((np.arange(side) + 0.5) // scale), 0, None).astype(int) for side in (height, width))
    return mask[np.minimum(rows, len(mask) - 1)][:, np.minimum(columns, mask.shape[1] - 1)]


class Counted(ImagePixels):
    """An image that knows which of its rows were read, and how often."""

    def __init__(self, image):
        super().__init__(image)
        self.read = np.zeros(len(image), int)

    def rows(self, first, last):
        self.read[first:last] += 1
        return super().rows(first, last)


@given(
    height=st.integers(1, 130),
    width=st.integers(1, 90),
    overlap=st.sampled_from(OVERLAPS),
    batch_size=st.integers(1, 9),
    scale=st.sampled_from([0.7, 1.0, 3.3, 16.0]),
    share=st.sampled_from([0.0, 0.01, 0.1, 0.5]),
    start=st.floats(0, 1),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_tissue_has_the_values_of_the_full_sum_and_all_else_is_background(
    height, width, overlap, batch_size, scale, share, start, seed
):
    shape = (max(round(height / scale), 1), max(round(width / scale), 1))
    mask = np.random.default_rng(seed).random(shape) < share
    image, engine = noise(height, width), made_engine(overlap=overlap, batch_size=batch_size)
    tissue = TissueMask(mask, scale, height, width)
    pixels = Counted(image)
    found, inside = swept(engine, pixels, tissue), tissue_pixels(mask, scale, height, width)
    assert np.abs(found - swept(engine, image))[inside].max(initial=0) < 1e-6  # batches differ, and so does rounding
    assert (found[~inside] == BACKGROUND).all()
    assert pixels.read.max() <= 1
    first_row = int(start * (height - 1))
    assert np.array_equal(swept(engine, image, tissue, first_row), found[first_row:])


def test_tissue_in_one_place_equals_the_definition_there():
    network, image = made_network(), noise(90, 80)
    mask = np.zeros((9, 8), bool)
    mask[3:5, 2] = True
    found = swept(made_engine(network, overlap=16), image, TissueMask(mask, 10.0, 90, 80))
    expected = by_definition(partial(tile_values, network), image, 16, "hann")
    assert np.abs(found - expected)[30:50, 20:30].max() < 1e-5


def test_rows_far_from_tissue_are_not_read_and_no_tile_runs_there(monkeypatch):
    engine, ran = made_engine(overlap=4, batch_size=1), []
    values = engine._values
    monkeypatch.setattr(engine, "_values", lambda tiles: ran.append(len(tiles)) or values(tiles))
    mask = np.zeros((60, 5), bool)
    mask[30, 2] = True  # working pixels 300 to 309, columns 20 to 29
    pixels = Counted(noise(600, 50))
    swept(engine, pixels, TissueMask(mask, 10.0, 600, 50))
    read = np.flatnonzero(pixels.read)
    # Tiles that touch the tissue reach at most 23 px beyond it; groups are of at most two rows of tiles (12 px a row).
    assert read.min() >= 300 - 23 - 12
    assert read.max() <= 309 + 23 + 12
    # Tiles begin every 12 px: at 288 and 300 they touch rows 300 to 309, at 0 and 12 and 24 columns 20 to 29.
    assert sum(ran) == 2 * 3


def test_a_slide_without_tissue_is_background_and_neither_read_nor_predicted(monkeypatch):
    engine = made_engine()
    monkeypatch.setattr(engine, "_values", None)
    pixels = Counted(noise(100, 60))
    found = swept(engine, pixels, TissueMask(np.zeros((10, 6), bool), 10.0, 100, 60))
    assert (found == BACKGROUND).all()
    assert not pixels.read.any()


def test_tissue_of_a_single_pixel_is_predicted():
    mask = np.zeros((100, 60), bool)
    mask[99, 59] = True
    image = noise(100, 60)
    found = swept(made_engine(), image, TissueMask(mask, 1.0, 100, 60))
    assert np.abs(found - swept(made_engine(), image))[99, 59].max() < 1e-6
    assert (found[:99] == BACKGROUND).all()


def test_a_mask_of_another_slide_is_refused():
    with pytest.raises(InputError, match=r"tissue mask: 10 x 12 pixels; expected 10.0 x 6.0, one for 10.000 working"):
        TissueMask(np.zeros((10, 12), bool), 10.0, 100, 60)


def test_parts_are_touched_by_the_mask_pixels_in_which_their_pixels_lie():
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True  # with 2.5 working pixels a side: rows 2 (centre 2.5) to 4, columns 5 to 7 (centre 7.5 is beyond)
    tissue = TissueMask(mask, 2.5, 10, 10)
    assert [np.flatnonzero(tissue.rows(row, row + 1)).tolist() for row in (1, 2, 4, 5)] == [[], [5, 6], [5, 6], []]
    lefts, rights = np.array([0, 4, 5, 6, 7]), np.array([5, 6, 7, 10, 10])
    assert tissue.touched(0, 3, lefts, rights).tolist() == [False, True, True, True, False]
    assert tissue.touched(5, 10, lefts, rights).tolist() == [False] * 5


def test_glass_is_background_even_where_a_network_gives_no_number():
    class Broken(torch.nn.Module):
        def forward(self, images):
            return torch.full((len(images), 5, TILE, TILE), torch.nan)

    mask = np.zeros((10, 10), bool)
    mask[2, 2] = True
    found = swept(made_engine(Broken()), noise(100, 100), TissueMask(mask, 10.0, 100, 100))
    assert np.isnan(found[20:30, 20:30]).all()
    assert (found[:20] == BACKGROUND).all()
