"""Normalisation takes the stain of a fold's training images, and leaves alone what it cannot judge."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from skimage.color import rgb2lab
from torchstain.numpy.normalizers import NumpyMacenkoNormalizer, NumpyReinhardNormalizer

from histoloom import plugins
from histoloom.colour.lab import lab_moments, typical_moments
from histoloom.colour.stain import (
    EstimateFailed,
    angle_deg,
    estimate_stains,
    stain_vectors,
    tissue_mask,
    typical_stains,
)
from histoloom.formats.images import read_image
from histoloom.split.normalisation import normalised
from tests.colour.test_stain import PAIRS, UNUSABLE, stained, unit

METHODS = plugins.names("normalisers")
REAL = Path(__file__).parents[3] / "shared" / "data" / "brecahad" / "images"


def tissue_of(image):
    return image[tissue_mask(image)]


def normalise(method, reference, image):
    return plugins.load("normalisers", method)([tissue_of(reference)])(image[tissue_mask(image)])(image)


def differences(first, second):
    return np.abs(first.astype(int) - second)


@pytest.mark.parametrize("method", METHODS)
def test_a_normaliser_gives_an_image_of_the_same_size_and_changes_not_its_input(method):
    image = stained("ruifrok")
    before = image.copy()
    result = normalise(method, stained("grey"), image)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(image, before)


# Macenko loses what lies outside the plane of the two stains: here the rounding to 8 bits alone.
@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_an_image_that_is_its_own_reference_stays_as_it_is(method):
    image = stained()
    assert differences(normalise(method, image, image), image).max() <= 2


@pytest.mark.parametrize("pair", PAIRS)
def test_macenko_gives_one_tissue_under_two_stains_one_look(pair):
    first, second = stained("macenko"), stained(pair, strengths=(0.8, 1.3))
    result = normalise("macenko", first, second)
    assert differences(result, first).mean() < 1.5
    for found, expected in zip(stain_vectors(result, tissue_mask(second)), unit(PAIRS["macenko"]), strict=True):
        assert angle_deg(found, expected) < 1.5


def test_macenko_is_that_of_torchstain_where_all_is_tissue_without_noise():
    image, reference = stained("grey")[40:], stained("blue", seed=3)
    theirs = NumpyMacenkoNormalizer()
    theirs.fit(tissue_of(reference)[:, None], beta=-np.inf)
    expected, _, _ = theirs.normalize(image, beta=-np.inf, stains=False)
    ours = plugins.load("normalisers", "macenko")([tissue_of(reference)])(image.reshape(-1, 3))(image)
    found = differences(ours, expected)
    assert found.mean() < 1
    assert found.max() <= 3  # theirs maps 239 to 240 and cuts fractions off


def test_macenko_keeps_the_colour_of_faint_and_noisy_tissue():
    # Little second stain, and more noise in blue: the plane of the covariance holds the noise and turns tissue grey.
    rng = np.random.default_rng(0)
    both = np.stack([rng.uniform(0.05, 0.35, (200, 200)), rng.uniform(0.5, 0.8, (200, 200))], axis=-1)
    light = 240 * np.exp(-both @ unit(PAIRS["blue"])) + rng.normal(0, [2, 2, 12], (200, 200, 3))
    image = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    result = normalise("macenko", image, image)
    assert np.abs(result.mean((0, 1)) - image.mean((0, 1))).max() < 2
    theirs = NumpyMacenkoNormalizer()
    theirs.fit(image)
    assert np.abs(theirs.normalize(image, stains=False)[0].mean((0, 1)) - image.mean((0, 1))).max() > 4


@pytest.mark.parametrize(("method", "theirs"), [("reinhard", None), ("reinhard_modified", "modified")])
def test_reinhard_is_that_of_torchstain_where_all_is_tissue(method, theirs):
    image, reference = stained("grey", seed=5), stained("blue", seed=3)
    image = tissue_of(image)[:10_000].reshape(100, 100, 3)
    library = NumpyReinhardNormalizer(method=theirs)
    library.fit(tissue_of(reference)[:, None])
    expected = library.normalize(image)
    ours = plugins.load("normalisers", method)([tissue_of(reference)])(image.reshape(-1, 3))(image)
    found = differences(ours, expected)
    assert found.mean() < 1
    assert found.max() <= 3  # OpenCV's CIELAB is exact to 1.2 of 255, and theirs cuts fractions off


def test_reinhard_gives_tissue_the_mean_and_spread_of_the_reference():
    image, reference = stained("grey", strengths=(0.9, 0.9)), stained("blue")
    result = normalise("reinhard", reference, image)
    lab, expected = rgb2lab(result[tissue_mask(image)]), rgb2lab(tissue_of(reference))
    np.testing.assert_allclose(lab.mean(0), expected.mean(0), atol=0.5)
    np.testing.assert_allclose(lab.std(0), expected.std(0), atol=0.5)


def test_the_modified_reinhard_moves_hue_and_keeps_mean_lightness():
    image, reference = stained("grey", strengths=(0.9, 0.9)), stained("blue")
    result = normalise("reinhard_modified", reference, image)
    lab, own, expected = (
        rgb2lab(pixels) for pixels in (result[tissue_mask(image)], tissue_of(image), tissue_of(reference))
    )
    np.testing.assert_allclose(lab.mean(0), [own.mean(0)[0], *expected.mean(0)[1:]], atol=0.5)
    np.testing.assert_allclose(lab.std(0)[1:], own.std(0)[1:], atol=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_glass_stays_glass(method):
    image = stained("grey")
    image[:40] = 240
    result = normalise(method, stained("blue", strengths=(1.3, 1.3)), image)
    assert differences(result[:40], 240).max() <= 1


@pytest.mark.parametrize("method", METHODS)
def test_colours_beyond_black_and_white_are_cut_and_do_not_wrap_around(method):
    pale, dark = stained(strengths=(0.5, 0.6)), stained(strengths=(2.5, 2.5))
    for reference, image in ((pale, dark), (dark, pale)):
        lightness = image.sum(-1, dtype=int)
        result = normalise(method, reference, image).sum(-1, dtype=int)
        # Value 3 for what was nearly black would be 250 if it had wrapped: dark must stay darker than bright.
        assert result[lightness <= np.percentile(lightness, 5)].max() < result[lightness >= 700].min()


@pytest.mark.parametrize("name", UNUSABLE)
@pytest.mark.parametrize("method", METHODS)
def test_images_without_two_stains_are_kept_with_the_reason(method, name):
    image = UNUSABLE[name]
    outcome = normalised(image, plugins.load("normalisers", method)([tissue_of(stained())]))
    assert outcome.state == "fallback"
    assert outcome.reason
    np.testing.assert_array_equal(outcome.image, image)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["white", "black", "one colour", "few pixels"])
def test_a_normaliser_itself_refuses_what_it_cannot_measure(method, name):
    pixels = UNUSABLE[name].reshape(-1, 3)
    with pytest.raises(EstimateFailed):
        plugins.load("normalisers", method)([pixels])
    fitted = plugins.load("normalisers", method)([tissue_of(stained())])
    with pytest.raises(EstimateFailed):
        fitted(pixels)


def test_the_reference_is_typical_of_its_images():
    three = [tissue_of(stained("blue", seed=seed)) for seed in range(3)]
    odd = tissue_of(stained("ruifrok", strengths=(2, 2)))
    found, expected = typical_stains([*three, odd, odd]), estimate_stains(three[0])
    for one, other in zip(found.vectors, expected.vectors, strict=True):
        assert angle_deg(one, other) < 1
    np.testing.assert_allclose(found.strengths, expected.strengths, rtol=0.03)
    np.testing.assert_allclose(typical_moments([*three, odd, odd]).means, lab_moments(three[0]).means, atol=1)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"real samples are not at {REAL}")
def test_real_cases_come_together():
    chosen = ("Case_11-07", "Case_11-15", "Case_12-01", "Case_12-10", "Case_13-01", "Case_13-03")
    images = {name: read_image(REAL / f"{name}.jpg")[::2, ::2] for name in chosen}
    reference = [tissue_of(image)[::5] for image in images.values()]
    outcomes = {
        name: normalised(image, plugins.load("normalisers", "macenko")(reference)) for name, image in images.items()
    }

    def widest(vectors):
        cases = [
            np.mean([vectors[name] for name in chosen if name.startswith(f"Case_{case}")], 0) for case in (11, 12, 13)
        ]
        return [max(angle_deg(one[stain], other[stain]) for one, other in combinations(cases, 2)) for stain in (0, 1)]

    before = widest({name: outcome.before for name, outcome in outcomes.items()})
    after = widest({name: outcome.after for name, outcome in outcomes.items()})
    assert min(before) > 3
    assert max(after) < 1
