"""Tiles cover every pixel equally often, mirrors follow NumPy, and blending is a weighted mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.predict.tiling import OVERLAPS, WINDOWS, blend, mirrored_tile, stride_px, tile_grid, window_weights

TILE = 12  # divisible by 1, 2, 3 and 4
lengths = st.integers(1, 41)


def slow_mean(tiles, height, width, channels, window):
    """The definition: sums over all tiles in float64 on a canvas wider than any tile reaches."""
    tile_px = len(window)
    sums = np.zeros((height + 2 * tile_px, width + 2 * tile_px, channels))
    weights = np.zeros(sums.shape[:2])
    for row, column, values in tiles:
        place = np.s_[row + tile_px : row + 2 * tile_px, column + tile_px : column + 2 * tile_px]
        sums[place] += values.astype(float) * window[..., None]
        weights[place] += window
    inside = np.s_[tile_px : tile_px + height, tile_px : tile_px + width]
    return sums[inside] / weights[inside][..., None]


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


@given(height=lengths, width=lengths, row=st.integers(-60, 60), column=st.integers(-60, 60))
@settings(max_examples=60, deadline=None)
def test_mirrors_are_those_of_numpy(height, width, row, column):
    image = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    margin = 80
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    expected = padded[row + margin : row + margin + TILE, column + margin : column + margin + TILE]
    assert np.array_equal(mirrored_tile(image, row, column, TILE), expected)


@pytest.mark.parametrize("kind", WINDOWS)
def test_windows_are_positive_symmetric_and_largest_in_the_centre(kind):
    window = window_weights(256, kind)
    assert window.min() > 0
    assert window.max() == window[128, 128] <= 1
    assert np.allclose(window, window.T)
    assert np.allclose(window, window[::-1, ::-1], rtol=1e-5)


def test_gaussian_window_falls_by_its_formula():
    # Along a row the centres 127.5 and 159.5 are 0.5 and 31.5 px from the middle; sigma = 256 / 8 = 32.
    window = window_weights(256, "gaussian")
    assert window[127, 159] / window[127, 127] == pytest.approx(np.exp(-(31.5**2 - 0.5**2) / (2 * 32**2)), rel=1e-5)


@pytest.mark.parametrize("root", [2, 3, 4])
def test_shifted_hann_windows_sum_to_a_constant(root):
    profile = np.sqrt(np.diag(window_weights(48, "hann").astype(float)))
    sums = sum(np.roll(profile, shift * 48 // root) for shift in range(root))
    assert np.allclose(sums, root / 2, atol=1e-6)


def test_unknown_window_is_refused():
    with pytest.raises(InputError, match="window 'hamming'; expected one of constant, gaussian, hann"):
        window_weights(8, "hamming")


@given(height=lengths, width=lengths, overlap=st.sampled_from(OVERLAPS), kind=st.sampled_from(WINDOWS))
@settings(max_examples=60, deadline=None)
def test_bands_equal_the_slow_definition(height, width, overlap, kind):
    generator = np.random.default_rng(height * 100 + width)
    grid = tile_grid(height, width, TILE, overlap)
    tiles = [(*corner, generator.random((TILE, TILE, 3), dtype=np.float32)) for corner in grid]
    window = window_weights(TILE, kind)
    bands = list(blend(tiles, height, width, 3, window))
    starts = [first for first, _ in bands]
    ends = [first + len(band) for first, band in bands]
    assert starts == [0, *ends[:-1]]
    assert ends[-1] == height
    whole = np.concatenate([band for _, band in bands])
    assert np.abs(whole - slow_mean(tiles, height, width, 3, window)).max() < 1e-5


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_tiles_cut_from_an_image_blend_back_to_it(kind, overlap):
    image = np.random.default_rng(1).integers(0, 256, (29, 17, 3), dtype=np.uint8)
    grid = tile_grid(29, 17, TILE, overlap)
    tiles = ((*corner, mirrored_tile(image, *corner, TILE).astype(np.float32)) for corner in grid)
    whole = np.concatenate([band for _, band in blend(tiles, 29, 17, 3, window_weights(TILE, kind))])
    assert np.abs(whole - image).max() < 1e-3  # of 255: float32 rounding


def test_a_band_is_handed_on_before_later_tiles_are_asked_for():
    asked = []

    def tiles():
        for row, column in tile_grid(400, 10, TILE, 4):
            asked.append(row)
            yield row, column, np.ones((TILE, TILE, 1), np.float32)

    for first, band in blend(tiles(), 400, 10, 1, window_weights(TILE, "hann")):
        assert len(band) <= TILE
        # Rows first.. are final as soon as one tile lies below them: no further row of tiles has been read.
        assert max(asked) <= first + len(band)


def test_memory_does_not_grow_with_the_height():
    import tracemalloc

    def peak(height):
        grid = tile_grid(height, 64, TILE, 4)
        tile = np.ones((TILE, TILE, 2), np.float32)
        tracemalloc.start()
        for _ in blend(((*corner, tile) for corner in grid), height, 64, 2, window_weights(TILE, "hann")):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(60)
    row_bytes = 64 * 2 * 4
    assert peak(1200) < peak(60) + 4 * row_bytes


def test_pixels_without_a_tile_are_zero():
    tile = np.ones((4, 4, 1), np.float32)
    bands = list(blend([(0, 0, tile), (12, 4, tile)], 20, 8, 1, window_weights(4, "constant")))
    expected = np.zeros((20, 8, 1), np.float32)
    expected[0:4, 0:4] = expected[12:16, 4:8] = 1
    assert np.array_equal(np.concatenate([band for _, band in bands]), expected)


def test_tiles_in_the_wrong_order_are_refused():
    tile = np.ones((4, 4, 1), np.float32)
    with pytest.raises(ValueError, match="tile at row 0 after one at row 4"):
        list(blend([(4, 0, tile), (0, 0, tile)], 8, 4, 1, window_weights(4, "constant")))
