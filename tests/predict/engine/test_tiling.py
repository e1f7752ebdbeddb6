"""Tiles cover every pixel equally often, and weights sum to one wherever a pixel lies."""

from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.predict.engine.sweep_plan import Layout
from histoloom.predict.engine.tiling import OVERLAPS, WINDOWS, blending_weights, stride_px, window_profile
from tests.predict.engine.engine_case import tile_grid

TILE = 12  # divisible by 1, 2, 3 and 4
lengths = st.integers(1, 41)


@given(height=lengths, width=lengths, overlap=st.sampled_from(OVERLAPS))
@settings(max_examples=60, deadline=None)
def test_every_pixel_lies_in_exactly_overlap_tiles(height, width, overlap):
    covered = np.zeros((height, width), int)
    for row, column in tile_grid(height, width, TILE, overlap):
        covered[max(row, 0) : max(row + TILE, 0), max(column, 0) : max(column + TILE, 0)] += 1
    assert (covered == overlap).all()


@given(height=lengths, width=lengths, overlap=st.sampled_from(OVERLAPS))
@settings(max_examples=30, deadline=None)
def test_no_tile_misses_the_image(height, width, overlap):
    for row, column in tile_grid(height, width, TILE, overlap):
        assert -TILE < row < height
        assert -TILE < column < width


def test_four_fold_grid_of_a_small_image():
    # Tile 4, stride 2: starts at -2, last start inside the length.
    assert tile_grid(2, 3, 4, 4) == [(-2, -2), (-2, 0), (-2, 2), (0, -2), (0, 0), (0, 2)]


@pytest.mark.parametrize(("overlap", "stride"), [(1, 12), (4, 6), (9, 4), (16, 3)])
def test_stride_is_the_tile_over_the_root_of_the_overlap(overlap, stride):
    assert stride_px(12, overlap) == stride


def test_a_tile_that_the_overlap_does_not_divide_is_refused():
    with pytest.raises(InputError, match="overlap 9 of tiles of 256 px; expected a tile_px divisible by 3"):
        stride_px(256, 9)
    with pytest.raises(InputError, match="overlap 5; expected one of 1, 4, 9, 16"):
        stride_px(256, 5)


@given(height=lengths, width=lengths, overlap=st.sampled_from(OVERLAPS))
@settings(max_examples=30, deadline=None)
def test_a_layout_has_the_tiles_of_the_grid(height, width, overlap):
    layout = Layout(height, width, TILE, overlap, batch_size=1)
    grid = tile_grid(height, width, TILE, overlap)
    assert (layout.rows, layout.columns) == tuple(len(set(places)) for places in zip(*grid, strict=True))
    assert grid[0] == (-layout.reach, -layout.reach)


@pytest.mark.parametrize("kind", WINDOWS)
def test_windows_are_positive_symmetric_and_largest_in_the_centre(kind):
    profile = window_profile(256, kind)
    assert profile.min() > 0
    assert profile.max() == profile[128] <= 1
    assert np.allclose(profile, profile[::-1], rtol=1e-5)


def test_gaussian_window_falls_by_its_formula():
    # The centres of pixels 127 and 159 are 0.5 and 31.5 px from the middle; sigma = 256 / 8 = 32.
    profile = window_profile(256, "gaussian")
    assert profile[159] / profile[127] == pytest.approx(np.exp(-(31.5**2 - 0.5**2) / (2 * 32**2)), rel=1e-12)


@pytest.mark.parametrize("root", [2, 3, 4])
def test_shifted_hann_windows_sum_to_a_constant(root):
    profile = window_profile(48, "hann")
    sums = sum(np.roll(profile, shift * 48 // root) for shift in range(root))
    assert np.allclose(sums, root / 2, atol=1e-12)


def test_unknown_window_is_refused():
    with pytest.raises(InputError, match="window 'hamming'; expected one of constant, gaussian, hann"):
        window_profile(8, "hamming")


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize(("height", "width"), [(29, 17), (5, 3), (1, 1)])
def test_weights_of_every_pixel_sum_to_one_and_are_to_each_other_as_the_window(height, width, overlap, kind):
    weights = blending_weights(TILE, overlap, kind)
    sums = np.zeros((height + 2 * TILE, width + 2 * TILE))
    for row, column in tile_grid(height, width, TILE, overlap):
        sums[row + TILE : row + 2 * TILE, column + TILE : column + 2 * TILE] += weights
    assert np.abs(sums[TILE:-TILE, TILE:-TILE] - 1).max() < 1e-6
    # Pixels one stride apart in a tile are the same pixel of the image in two tiles: only there do weights compare.
    profile, stride = window_profile(TILE, kind), TILE // isqrt(overlap)
    ratios = weights[stride:, 0] / weights[: TILE - stride, 0]
    np.testing.assert_allclose(ratios, profile[stride:] / profile[: TILE - stride], rtol=1e-5)
