"""Stains are found again in images that were made from known ones by the law of Beer and Lambert."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.colour.stain import (
    MOST_PIXELS,
    EstimateFailed,
    angle_deg,
    estimate_stains,
    from_optical_density,
    optical_density,
    stain_vectors,
    tissue_mask,
)

# Haematoxylin and eosin: table 1 of Ruifrok and Johnston 2001, the reference of Macenko's published code, and two that
# differ in hue as laboratories do.
PAIRS = {
    "ruifrok": ([0.65, 0.70, 0.29], [0.07, 0.99, 0.11]),
    "macenko": ([0.56, 0.72, 0.41], [0.22, 0.80, 0.56]),
    "blue": ([0.66, 0.68, 0.30], [0.42, 0.89, 0.18]),
    "grey": ([0.68, 0.62, 0.37], [0.25, 0.92, 0.30]),
}
INKS = {"green": (30, 140, 60), "blue": (40, 60, 170), "red": (200, 30, 40), "violet": (120, 40, 150)}


def unit(vectors):
    return np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)


def amounts(height=200, width=200, seed=0):
    """Amounts of two stains: stroma, nuclei, a tenth pure haematoxylin, a tenth pure eosin, and glass above."""
    rng = np.random.default_rng(seed)
    haematoxylin = np.where(rng.random((height, width)) < 0.3, rng.uniform(0.5, 1.5, (height, width)), 0.1)
    eosin = rng.uniform(0.4, 1.0, (height, width))
    kind = rng.random((height, width))
    haematoxylin[kind < 0.1] = 0
    eosin[kind > 0.9], haematoxylin[kind > 0.9] = 0, 1.2
    both = np.stack([haematoxylin, eosin], axis=-1)
    both[: height // 5] = 0
    return both


def stained(pair="macenko", strengths=(1.0, 1.0), noise=0.0, **keywords):
    """An image of these amounts: 240 * exp(-density) of light comes through."""
    density = amounts(**keywords) * strengths @ unit(PAIRS[pair])
    light = 240 * np.exp(-density) + np.random.default_rng(1).normal(0, noise, density.shape)
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def inked(colour, noise=3.0, side=100):
    """A tile of one ink, thicker here and thinner there, with the noise of a camera."""
    rng = np.random.default_rng(2)
    density = -np.log(np.array(colour) / 240) * rng.uniform(0.7, 1.0, (side, side, 1))
    return np.clip(np.rint(240 * np.exp(-density) + rng.normal(0, noise, density.shape)), 0, 255).astype(np.uint8)


def plain(*colour, side=100):
    return np.full((side, side, 3), colour, np.uint8)


UNUSABLE = {
    "white": plain(255),
    "glass": plain(238, 236, 240),
    "black": plain(0),
    "grey": plain(128),
    "one colour": plain(180, 100, 170),
    "few pixels": stained(height=30, width=30),
    **{f"{name} ink": inked(colour) for name, colour in INKS.items()},
    **{f"{name} ink without noise": inked(colour, noise=0) for name, colour in INKS.items()},
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("noise", "tolerance_deg"), [(0, 1), (2, 3)])
def test_known_stains_come_back(pair, noise, tolerance_deg):
    image = stained(pair, noise=noise)
    vectors = stain_vectors(image, tissue_mask(image))
    for found, expected in zip(vectors, unit(PAIRS[pair]), strict=True):
        assert angle_deg(found, expected) < tolerance_deg
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)


def test_haematoxylin_comes_first_however_little_there_is():
    for strengths in ((0.5, 1.5), (1.5, 0.8)):
        image = stained(strengths=strengths)
        vectors = stain_vectors(image, tissue_mask(image))
        assert angle_deg(vectors[0], unit(PAIRS["macenko"])[0]) < angle_deg(vectors[0], unit(PAIRS["macenko"])[1])


def test_strengths_follow_the_amounts():
    pale, dark = stained(), stained(strengths=(1.5, 1.2))
    first, second = (estimate_stains(image[tissue_mask(image)]).strengths for image in (pale, dark))
    np.testing.assert_allclose(second / first, [1.5, 1.2], rtol=0.03)


def test_glass_around_the_tissue_changes_nothing():
    image = stained()
    framed = np.pad(image, ((300, 300), (300, 300), (0, 0)), constant_values=250)
    expected = stain_vectors(image, tissue_mask(image))
    np.testing.assert_array_equal(stain_vectors(framed, tissue_mask(framed)), expected)


def test_an_even_sample_of_many_pixels_is_enough():
    image = stained(noise=2, height=600, width=600)
    tissue = image[tissue_mask(image)]
    assert len(tissue) > 2 * MOST_PIXELS
    for found, expected in zip(estimate_stains(tissue).vectors, unit(PAIRS["macenko"]), strict=True):
        assert angle_deg(found, expected) < 3


@pytest.mark.parametrize("name", UNUSABLE)
def test_no_stains_are_made_up(name):
    image = UNUSABLE[name]
    assert stain_vectors(image, tissue_mask(image)) is None
    everywhere = np.ones(image.shape[:2], bool)
    assert stain_vectors(image, everywhere) is None


@pytest.mark.parametrize("stain", [0, 1])
@pytest.mark.parametrize("noise", [0, 3])
def test_one_stain_alone_is_no_pair(stain, noise):
    density = amounts()[..., [stain]] @ unit(PAIRS["macenko"])[[stain]]
    light = 240 * np.exp(-density) + np.random.default_rng(1).normal(0, noise, density.shape)
    image = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    with pytest.raises(EstimateFailed, match=r"one colour|one stain"):
        estimate_stains(image[tissue_mask(image)])


@pytest.mark.parametrize(
    ("colour", "is_tissue"),
    [
        ((240, 240, 240), False),  # glass
        ((20, 22, 25), False),  # black ink, a fold
        ((180, 140, 180), True),
        ((230, 181, 220), False),  # too pale
        ((230, 180, 220), True),
        ((100, 100, 119), False),  # too grey
        ((100, 100, 120), True),
    ],
)
def test_tissue_is_dark_enough_and_has_colour(colour, is_tissue):
    assert (tissue_mask(plain(*colour, side=2)) == is_tissue).all()


def test_optical_density_by_hand():
    # (239 + 1) / 240 of the light passes, then 1 / e of it (88.29 - 1), then 1 / 240.
    np.testing.assert_allclose(optical_density(np.array([[239, 87, 0]], np.uint8)), [[0, 1.003, 5.481]], atol=1e-3)


def test_optical_density_and_back_changes_no_colour():
    every = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    np.testing.assert_array_equal(from_optical_density(optical_density(every)), every)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 255), st.integers(0, 255), st.integers(1, 80))
def test_any_pixels_give_two_unit_vectors_or_none(seed, span, least, side):
    rng = np.random.default_rng(seed)
    image = np.minimum(rng.integers(0, span, (side, side, 3)) + least, 255).astype(np.uint8)
    for tissue in (tissue_mask(image), np.ones(image.shape[:2], bool)):
        vectors = stain_vectors(image, tissue)
        assert vectors is None or np.allclose(np.linalg.norm(vectors, axis=1), 1)
