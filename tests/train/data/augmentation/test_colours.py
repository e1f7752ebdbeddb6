"""Colours: stains against scikit-image, the matrix by hand, blur against SciPy, noise by its spread, JPEG by Pillow."""

import io
import itertools
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.color import rgb_from_hed, separate_stains

from histoloom.train.data.augmentation.colours import (
    STAINS,
    blurred,
    colour_matrix,
    compressed,
    noisy,
    recoloured,
    restained,
)
from histoloom.train.data.augmentation.tiles import augmented_tile, sample_rng
from tests.train.data.augmentation.pictures import COLOURS, NONE, noise_image


def tissue(size=64, seed=0):
    """Pixels that are mixtures of both stains, and of nothing else but rounding."""
    amounts = np.random.default_rng(seed).uniform(0.1, 0.9, (size, size, 2))
    return np.rint(255 * np.exp(-amounts @ STAINS)).astype(np.uint8)


def smooth(size=96):
    """Waves of different lengths in each channel, as a picture that JPEG can hold."""
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    return np.dstack([127 + 100 * np.sin(x / 9 + phase) * np.cos(y / 13) for phase in (0, 1, 2)]).astype(np.uint8)


def only(name, strength, draw):
    """A tissue tile recoloured with one strength and one draw, before and after."""
    place = {"stain": slice(4, 6), "blur_px": 6, "noise": 7, "jpeg": 8}[name]
    draws = np.zeros(9)
    draws[place] = draw
    tile = smooth()
    return tile, recoloured(tile, replace(NONE, **{name: strength}), draws, 5)


def test_the_stains_are_the_published_ones():
    np.testing.assert_array_equal(STAINS, rgb_from_hed[:2])


@pytest.mark.parametrize("factors", [(1.3, 1.0), (1.0, 0.7), (0.8, 1.2), (0.0, 1.0)])
def test_amounts_of_stain_are_multiplied(factors):
    """Oracle: scikit-image's separation by the same stains, the third perpendicular, says how much there is of each."""
    unmixing = np.linalg.inv(np.vstack([STAINS, np.cross(*STAINS)]))
    before = tissue()
    after = restained(before, np.array(factors))
    amounts, changed = (separate_stains(pixels, unmixing)[..., :2] for pixels in (before, after))
    # Rounding to a grey level v shifts densities by 0.5 / v; the unmixing takes it to at most 0.004 in these units.
    np.testing.assert_allclose(changed, amounts * factors, atol=0.004)
    assert amounts.mean() > 0.03


def test_what_neither_stain_explains_stays():
    residual = np.cross(*STAINS) / np.linalg.norm(np.cross(*STAINS))
    before = np.random.default_rng(0).integers(60, 200, (32, 32, 3), dtype=np.uint8)
    after = restained(before, np.array([1.2, 0.9]))
    densities = [-np.log(pixels / 255) @ residual for pixels in (before, after)]
    np.testing.assert_allclose(densities[1], densities[0], atol=0.02)


def test_factors_of_one_leave_every_pixel_and_white_always_stays_white():
    before = np.random.default_rng(0).integers(1, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(restained(before, np.ones(2)), before)
    white = np.full((4, 4, 3), 255, np.uint8)
    np.testing.assert_array_equal(restained(white, np.array([1.5, 0.5])), white)


def test_restaining_the_most_saturated_colours_saturates_and_does_not_wrap():
    colours = np.array(list(itertools.product((0, 255), repeat=3)), np.uint8)[None]
    inverse = np.linalg.inv(np.vstack([STAINS, np.cross(*STAINS)]))
    for factors in itertools.product((0.0, 2.0), repeat=2):
        amounts = -np.log(np.maximum(colours, 1) / 255) @ inverse * (*factors, 1)
        expected = 255 * np.exp(-amounts @ np.linalg.inv(inverse))
        np.testing.assert_allclose(restained(colours, np.array(factors)), np.clip(expected, 0, 255), atol=0.51)


def test_more_stain_is_darker_and_the_drawn_factors_are_those_of_the_strength():
    tile = tissue()
    draws = np.zeros(9)
    draws[4:6] = 1.0, -0.5
    changed = recoloured(tile, replace(NONE, stain=0.4), draws, 0)
    np.testing.assert_array_equal(changed, restained(tile, np.array([1.4, 0.8])))
    assert restained(tile, np.array([1.4, 1.4])).mean() < tile.mean() - 5


def test_no_strength_leaves_colours_alone():
    np.testing.assert_allclose(colour_matrix(NONE, np.array([0.3, -0.7, 1.0, 0.5])), np.eye(3, 4), atol=1e-12)
    tile = smooth()
    np.testing.assert_array_equal(recoloured(tile, NONE, np.full(9, 0.9), 0), tile)


@pytest.mark.parametrize(
    ("name", "strength", "draw", "before", "after"),
    [
        ("brightness", 0.5, -1, (100, 60, 20), (50, 30, 10)),
        ("contrast", 0.5, -1, (127.5, 227.5, 27.5), (127.5, 177.5, 77.5)),
        ("saturation", 1.0, -1, (200, 100, 50), (124.2, 124.2, 124.2)),  # 0.299*200 + 0.587*100 + 0.114*50
        ("hue_deg", 120.0, 1, (200, 100, 50), (50, 200, 100)),  # a third of a turn exchanges the channels
        ("hue_deg", 40.0, 1, (90, 90, 90), (90, 90, 90)),
    ],
)
def test_each_colour_change_by_hand(name, strength, draw, before, after):
    matrix = colour_matrix(replace(NONE, **{name: strength}), np.full(4, float(draw)))
    np.testing.assert_allclose(matrix @ np.array([*before, 1.0]), after, atol=1e-9)


def test_bright_pixels_are_clipped_and_do_not_wrap():
    image = np.full((32, 32, 3), 250, np.uint8)
    bright = replace(NONE, brightness=0.9)
    tiles = [augmented_tile(image, (), 0, 0, 32, bright, sample_rng(0, 0, sample))[0][0, 0, 0] for sample in range(20)]
    assert max(tiles) == 255
    factors = [1 + 0.9 * sample_rng(0, 0, sample).uniform(-1, 1, 22)[13] for sample in range(20)]
    np.testing.assert_allclose(tiles, np.minimum(250 * np.array(factors), 255), atol=1)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5])
def test_blur_is_the_gaussian_of_scipy(sigma):
    tile = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    expected = ndimage.gaussian_filter(tile.astype(float), (sigma, sigma, 0), mode="mirror", truncate=6)
    np.testing.assert_allclose(blurred(tile, sigma), expected, atol=1.5)


def test_blur_goes_from_none_to_its_strength():
    tile, least = only("blur_px", 2.0, -1.0)
    np.testing.assert_array_equal(least, tile)
    tile, most = only("blur_px", 2.0, 1 - 1e-12)
    np.testing.assert_array_equal(most, blurred(tile, 2.0))
    assert (most != tile).any()


@pytest.mark.parametrize("deviation", [1.0, 5.0, 20.0, 40.0])
def test_noise_is_normal_with_its_deviation_and_independent(deviation):
    grey = np.full((256, 256, 3), 128, np.uint8)
    noise = noisy(grey, deviation, np.random.default_rng(0)).astype(float) - 128
    rounded = np.hypot(deviation, np.sqrt(1 / 12))  # rounding to whole grey levels adds a variance of 1/12
    assert noise.std() == pytest.approx(rounded, rel=0.02)
    assert abs(noise.mean()) < 0.02 * deviation
    expected = 2 * NormalDist(0, deviation).cdf(deviation + 0.5) - 1
    assert (np.abs(noise) <= deviation).mean() == pytest.approx(expected, abs=0.01)
    for one, other in ((noise[..., 0], noise[..., 1]), (noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01


def test_each_tile_has_noise_of_its_own():
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, second = (
        augmented_tile(grey, (), 0, 0, 64, replace(NONE, noise=30.0), sample_rng(0, 1, sample))[0] for sample in (0, 1)
    )
    assert min(first.std(), second.std()) > 3
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


def test_noise_is_cut_at_black_and_white_and_does_not_wrap():
    black, white = (noisy(np.full((99, 99, 3), value, np.uint8), 20.0, np.random.default_rng(0)) for value in (0, 255))
    assert black.max() < 70 and np.median(black) == 0
    assert white.min() > 185 and np.median(white) == 255


def test_noise_has_at_most_its_strength():
    tile, noise = only("noise", 8.0, 0.5)  # three quarters of it
    inside = (tile > 30) & (tile < 225)
    assert (noise.astype(float) - tile)[inside].std() == pytest.approx(6, rel=0.03)
    tile, least = only("noise", 8.0, -1.0)
    np.testing.assert_array_equal(least, tile)


@pytest.mark.parametrize("quality", [10, 50, 90, 100])
def test_compression_is_the_jpeg_of_pillow(quality):
    file = io.BytesIO()
    Image.fromarray(smooth()).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    np.testing.assert_allclose(compressed(smooth(), quality), np.asarray(Image.open(file)), atol=2)


@pytest.mark.parametrize(("draw", "quality"), [(-1.0, 40), (1 - 1e-12, 100), (0.0, 70)])
def test_quality_is_drawn_from_the_lowest_to_100(draw, quality):
    tile, changed = only("jpeg", 40, draw)
    np.testing.assert_array_equal(changed, compressed(tile, quality))


def test_red_and_blue_are_not_exchanged_by_compression():
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    np.testing.assert_allclose(compressed(red, 95), red, atol=3)


def test_colours_never_touch_the_truth():
    image, mask = noise_image()
    ids = mask.astype(np.int32) * 70_001
    for sample in range(5):
        tile, truths = augmented_tile(image, (mask, ids), 3, 4, 64, COLOURS, sample_rng(0, 0, sample))
        np.testing.assert_array_equal(truths[0], mask[3:67, 4:68])
        np.testing.assert_array_equal(truths[1], ids[3:67, 4:68])
        assert (tile != image[3:67, 4:68]).any()


USES = {"brightness": {0}, "contrast": {1}, "saturation": {2}, "hue_deg": {3}, "stain": {4, 5}, "blur_px": {6}}
USES |= {"noise": {7}, "jpeg": {8}}


@pytest.mark.parametrize("name", USES)
def test_each_random_number_is_for_one_property(name):
    setting = replace(NONE, **{name: getattr(COLOURS, name)})
    base = np.full(9, 0.1)
    made = [recoloured(smooth(), setting, np.where(np.arange(9) == place, 0.9, base), 1) for place in range(9)]
    unchanged = recoloured(smooth(), setting, base, 1)
    assert {place for place in range(9) if (made[place] != unchanged).any()} == USES[name]
