import tracemalloc
from fractions import Fraction
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.formats.slides.rows import Level
from histoloom.formats.slides.slide import Slide
from histoloom.slides.prediction.slide_pixels import SlidePixels, choose_level
from tests.slides.made_slides import MadeTissue, write_pyramid

SCALES = (0.46, 0.5, 0.8, 0.97, 0.991, 1.0, 1.009, 1.02, 1.3, 1.83, 2.0, 2.15, 3.7, 4.0)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(path: Path, pixels: np.ndarray, **options) -> Path:
    options = {"mpp": 0.5, "compression": "deflate", "tile_px": 64} | options
    return write_pyramid(path, lambda first, last: pixels[first:last], *pixels.shape[:2], **options)


def all_rows(path: Path, wanted: float, **options) -> np.ndarray:
    with Slide(path, **options) as slide:
        pixels = SlidePixels(slide, wanted)
        return pixels.rows(0, pixels.height)


def area_means(values: np.ndarray, scale: float, count: int) -> np.ndarray:
    """Slow definition: the mean over [i * scale, (i + 1) * scale) of the first axis, its last value repeated."""
    padded = np.concatenate([values, np.repeat(values[-1:], int(scale) + 2, axis=0)]).astype(float)
    edges = np.arange(count + 1) * scale
    cells = np.arange(len(padded))
    overlaps = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.tensordot(np.maximum(overlaps, 0), padded, 1) / scale


def linear(values: np.ndarray, scale: float, count: int) -> np.ndarray:
    """Slow definition: the first axis between its values at pixel centres, the outer ones repeated."""
    places = np.clip((np.arange(count) + 0.5) * scale - 0.5, 0, len(values) - 1)
    below = np.minimum(places.astype(int), len(values) - 2)
    share = (places - below).reshape(-1, *[1] * (values.ndim - 1))
    return values[below] * (1 - share) + values[below + 1] * share


@pytest.mark.parametrize("scale", SCALES)
def test_a_working_pixel_is_what_it_covers(tmp_path, scale):
    pixels = noise(190, 133)
    with Slide(write(tmp_path / "a.tif", pixels)) as slide:
        working = SlidePixels(slide, 0.5 * scale)
        found = working.rows(0, working.height)
        assert working.mpp == pytest.approx(0.5 * scale, rel=0.01)
        assert working.mpp == pytest.approx(0.5 * working.downsample)
        assert found.shape == (round(190 / working.downsample), round(133 / working.downsample), 3)
    define = area_means if working.downsample >= 1 else linear
    expected = define(pixels.astype(float), working.downsample, found.shape[0])
    expected = define(expected.swapaxes(0, 1), working.downsample, found.shape[1]).swapaxes(0, 1)
    # OpenCV leaves out cells covered by less than a thousandth, and rounds linear weights to 1/2048.
    assert np.abs(found - expected).max() < 1


@pytest.mark.parametrize("scale", [0.991, 1.0, 1.009])
def test_a_level_within_one_percent_is_given_as_it_is(tmp_path, scale):
    pixels = noise(190, 133)
    path = write(tmp_path / "a.tif", pixels)
    assert (all_rows(path, 0.5 * scale) == pixels).all()
    with Slide(path) as slide:
        assert SlidePixels(slide, 0.5 * scale).mpp == 0.5


@pytest.mark.parametrize("scale", SCALES)
def test_nothing_shifts_far_from_the_corner(tmp_path, scale):
    pixels = np.zeros((9000, 64, 3), np.uint8)
    pixels[8950:8960, 40:50] = 255  # its middle is at row 8955, column 45
    with Slide(write(tmp_path / "a.tif", pixels)) as slide:
        working = SlidePixels(slide, 0.5 * scale)
        light = working.rows(0, working.height)[..., 0].astype(float)
    rows, columns = ((np.arange(side) + 0.5) * working.downsample for side in light.shape)
    # What lies in a working pixel counts at its middle; a scale that is 1 % off would be 90 pixels away.
    near = 0.05 + 0.2 * (working.downsample > 2)
    assert (light.sum(1) @ rows) / light.sum() == pytest.approx(8955, abs=near)
    assert (light.sum(0) @ columns) / light.sum() == pytest.approx(45, abs=near)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("slide") / "a.tif", noise(421, 77), levels=3)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), scale=st.sampled_from(SCALES))
def test_rows_are_the_same_however_they_are_cut(made, data, scale):
    with Slide(made) as slide:
        whole = SlidePixels(slide, 0.5 * scale)
        expected = whole.rows(0, whole.height)
        cut = SlidePixels(slide, 0.5 * scale)
        first = data.draw(st.integers(0, cut.height - 1))
        for _ in range(6):
            last = data.draw(st.integers(first + 1, cut.height))
            assert (cut.rows(first, last) == expected[first:last]).all()
            first = min(data.draw(st.integers(first, last)), cut.height - 1)


@pytest.mark.parametrize(
    ("downsample", "expected"),
    [
        (1, (0, Fraction(1))),
        (1.009, (0, Fraction(1))),
        (0.995, (0, Fraction(1))),
        (0.5, (0, Fraction(1, 2))),
        (1.5, (0, Fraction(3, 2))),
        (2, (0, Fraction(2))),
        (3.97, (1, Fraction(1))),
        (3.9, (0, Fraction(35, 9))),  # 4 is 2.6 % off; of 2 to 9 parts, ninths are the first within 1 %
        (4.1, (1, Fraction(31, 30))),
        (6, (1, Fraction(3, 2))),
        (16, (2, Fraction(1))),
        (64, (2, Fraction(4))),
    ],
)
def test_the_coarsest_level_that_is_fine_enough_is_scaled_by_a_simple_fraction(downsample, expected):
    levels = tuple(Level(factor, 1000, 1000, 256) for factor in (1.0, 4.0, 16.0))
    number, scale = choose_level(levels, downsample)
    assert number == expected[0]
    assert float(scale) == pytest.approx(float(expected[1]), rel=0.011)
    assert scale.denominator <= expected[1].denominator


def test_a_missing_level_is_made_of_the_next_finer_one(tmp_path):
    pixels = noise(256, 256)
    path = write(tmp_path / "a.tif", pixels, levels=2, step=4)  # none of half the resolution
    found = all_rows(path, 1.0)
    assert np.abs(found - pixels.reshape(128, 2, 128, 2, 3).mean((1, 3))).max() <= 0.5


def test_a_slide_without_pixel_size_is_refused_with_the_setting_that_supplies_it(tmp_path):
    path = write(tmp_path / "no size.tif", noise(64, 64), mpp=None)
    with pytest.raises(InputError, match=r"no size\.tif: does not state how many µm.*slides\.<name>\.mpp") as caught:
        all_rows(path, 0.5)
    assert len(str(caught.value).splitlines()) <= 4
    assert (all_rows(path, 0.5, mpp=0.5) == noise(64, 64)).all()


def test_a_given_pixel_size_counts_in_place_of_the_headers(tmp_path):
    path = write(tmp_path / "a.tif", noise(64, 64), mpp=0.5)
    with Slide(path, mpp=0.25) as slide:
        assert (slide.mpp, slide.stated_mpp) == (0.25, 0.5)
        assert SlidePixels(slide, 0.5).downsample == 2


@pytest.mark.parametrize("mpp", [0, -0.5, 353.0, float("nan"), float("inf")])
def test_a_given_pixel_size_that_no_slide_has_is_refused(tmp_path, mpp):
    path = write(tmp_path / "a.tif", noise(64, 64))
    with pytest.raises(InputError, match=r"a\.tif: mpp .*; expected µm per full-resolution pixel, 0\.02 to 20"):
        Slide(path, mpp=mpp)


def test_a_slide_far_coarser_than_the_model_is_refused(tmp_path):
    path = write(tmp_path / "a.tif", noise(64, 64), mpp=1)
    with pytest.raises(InputError, match=r"a\.tif: has 1 µm per pixel; expected at most 0\.55 for a model of 0\.25"):
        all_rows(path, 0.25)


def test_a_plain_image_is_read_by_rows_too(tmp_path):
    pixels = noise(150, 40)
    iio.imwrite(tmp_path / "a.png", pixels)
    assert (all_rows(tmp_path / "a.png", 0.5, mpp=0.5) == pixels).all()


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("scale", [0.5, 1, 2.15, 4])
def test_tiny_slides_have_at_least_one_working_pixel(tmp_path, side, scale):
    iio.imwrite(tmp_path / "a.png", np.full((side, side, 3), 77, np.uint8))
    found = all_rows(tmp_path / "a.png", 0.5 * scale, mpp=0.5)
    assert found.shape == (max(1, round(side / scale)), max(1, round(side / scale)), 3)
    assert (found == 77).all()


@pytest.mark.parametrize("scale", [1, 2.15])
def test_memory_does_not_grow_with_the_slides_height(tmp_path, scale):
    peaks = []
    for height in (1500, 6000):
        tissue = MadeTissue(height, 512)
        path = write_pyramid(tmp_path / f"{height}.tif", tissue.rows, height, 512, mpp=0.5)
        with Slide(path) as slide:
            pixels = SlidePixels(slide, 0.5 * scale)
            tracemalloc.start()
            for first in range(0, pixels.height, 128):
                pixels.rows(first, min(first + 128, pixels.height))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("scale", [1.3, 0.8])
def test_rows_are_resampled_once_however_short_the_calls(made, monkeypatch, scale):
    tops = []

    def resample(self, top, really=SlidePixels._resample):
        tops.append(top)
        return really(self, top)

    monkeypatch.setattr(SlidePixels, "_resample", resample)
    with Slide(made) as slide:
        pixels = SlidePixels(slide, 0.5 * scale)
        for row in range(pixels.height):
            pixels.rows(row, row + 1)
    assert len(tops) == len(set(tops)) > 1
