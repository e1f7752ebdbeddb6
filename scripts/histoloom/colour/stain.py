"""Stains in an image: where tissue lies, how much light it takes up, and the colours of haematoxylin and eosin.

Optical density is the natural logarithm of incident over transmitted light, so amounts of stain add up in it (Beer and
Lambert), and what two stains can mix lies in a plane through its origin. Published libraries lay that plane by the
covariance, which is centred, so it may miss the origin. In images of six datasets torchstain's leaves 0.02 to 0.08 of
the mean density of tissue outside (median; 0.23 at worst, a tile that turns grey), the one here 0.002 to 0.004 (0.035).
Libraries also end in an error on white tiles, and give two arbitrary vectors on a tile of one colour.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Real, UInt8

# Tissue takes up green light (a decimal optical density of 0.15 against white) and has colour, unlike glass and black
# ink.
TISSUE_GREEN = 180  # 255 * 10 ** -0.15
TISSUE_CHROMA = 20  # largest less smallest of red, green and blue

LIGHT = 240  # brightness of empty glass in the code of Macenko et al.
STRENGTH_PERCENT = 99  # of the amounts, as Macenko et al.
TAIL_PERCENT = 1  # alpha of Macenko et al.: hues beyond are noise
MOST_PIXELS = 100_000  # spread evenly over the tissue: percentiles of more are no steadier, only slower
FEWEST_PIXELS = 1_000  # each tail then rests on ten pixels
# In H&E of five datasets the stains are 18 to 42 degrees apart and each within 25 of its usual colour; green, blue and
# red inks are 31 and more away, and the noise of a camera (sd 3) spreads one stain over 9 degrees.
LEAST_ANGLE_DEG = 12
MOST_DEVIATION_DEG = 30
LEAST_COMPONENT = -0.15  # stains take light up and give none; a little below 0 is noise
TYPICAL = {"haematoxylin": np.array([0.63, 0.69, 0.36]), "eosin": np.array([0.27, 0.88, 0.38])}

TISSUE_SHARE = 0.01  # an image with less tissue is blank
DENSITY = -np.log((np.arange(256) + 1) / LIGHT)  # of each 8-bit value, as torchstain has it


class EstimateFailed(Exception):  # noqa: N818 an outcome that is counted, and no error of the user
    """The stains or colours of an image cannot be estimated; the message says why."""


@dataclass(frozen=True)
class Stains:
    """Unit vectors of haematoxylin and eosin in optical density (red, green, blue), and how strong each one is.

    `strengths` are the 99th percentiles of the amounts: brightly and faintly stained images differ in them.
    """

    vectors: Float[np.ndarray, "2 3"]
    strengths: Float[np.ndarray, "2"]


def tissue_mask(image: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """Where tissue is stained: green at most 180, and the colour channels 20 or more apart.

    >>> tissue_mask(np.array([[[255, 255, 255], [160, 90, 170], [20, 20, 25]]], np.uint8))  # glass, tissue, black ink
    array([[False,  True, False]])
    """
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    # Channel by channel: over the last axis, which has three values, NumPy's max is ten times slower.
    chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return (chroma >= TISSUE_CHROMA) & (green <= TISSUE_GREEN)


def optical_density(pixels: UInt8[np.ndarray, "*shape 3"]) -> Float32[np.ndarray, "*shape 3"]:
    """Natural optical density against glass of brightness 240; a little below 0 for what is brighter."""
    return DENSITY.astype(np.float32)[pixels]


def from_optical_density(density: Float[np.ndarray, "*shape 3"]) -> UInt8[np.ndarray, "*shape 3"]:
    """The nearest 8-bit colours: the inverse of `optical_density`, cut at 0 and 255."""
    return np.rint(np.clip(LIGHT * np.exp(-density) - 1, 0, 255)).astype(np.uint8)


def stain_vectors(
    image: UInt8[np.ndarray, "height width 3"], tissue: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "2 3"] | None:
    """Unit vectors of haematoxylin, then eosin, in optical density; None where the tissue does not show both."""
    try:
        return estimate_stains(image[tissue]).vectors
    except EstimateFailed:
        return None


def estimate_stains(tissue: UInt8[np.ndarray, "pixels 3"]) -> Stains:
    """Estimate the two stains of tissue pixels; of more than 100,000 every second, third, ... is taken.

    The tissue mask stands in for the paper's limit on density, 0.15 in every channel, which leaves out eosin where it
    is purest, since eosin lets red light pass: it moves the eosin of MoNuSeg's images by up to 10 degrees.
    Raises EstimateFailed for fewer than 1,000 pixels, for one colour or one stain, and for stains far from H&E.
    Source: Macenko et al., A method for normalizing histology slides for quantitative analysis, ISBI 2009.
    """
    check_count(tissue)
    density = DENSITY[tissue[:: -(-len(tissue) // MOST_PIXELS)]]
    vectors = _extreme_hues(density)
    _check_vectors(vectors)
    amounts = density @ np.linalg.pinv(vectors)
    strengths = np.percentile(amounts, STRENGTH_PERCENT, axis=0)
    if strengths.min() <= 0:
        raise EstimateFailed("not two stains: one would give light instead of taking it up")
    return Stains(vectors, strengths)


def typical_stains(tissues: Sequence[UInt8[np.ndarray, "_ 3"]]) -> Stains:
    """Medians of the stains of several images, given their tissue pixels: a few odd images move them little.

    Each is estimated alone. Pooled, images of two laboratories fill no plane, and the extreme hues among them would be
    taken for the stains.
    Raises EstimateFailed where it fails for one of them.
    """
    stains = [estimate_stains(tissue) for tissue in tissues]
    vectors = np.median([each.vectors for each in stains], axis=0)
    strengths = np.median([each.strengths for each in stains], axis=0)
    return Stains(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strengths)


def check_count(tissue: UInt8[np.ndarray, "pixels 3"]) -> None:
    """Raise EstimateFailed for fewer than 1,000 tissue pixels."""
    if len(tissue) < FEWEST_PIXELS:
        raise EstimateFailed(f"{len(tissue)} stained pixels, expected at least {FEWEST_PIXELS}")


def angle_deg(first: Real[np.ndarray, "3"], second: Real[np.ndarray, "3"]) -> float:
    """Angle between two vectors in degrees.

    >>> round(angle_deg(np.array([1, 0, 0]), np.array([1, 1, 0])), 6)
    45.0
    """
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _extreme_hues(density: Float[np.ndarray, "pixels 3"]) -> Float[np.ndarray, "2 3"]:
    # The two axes of the plane are the largest directions of the second moments, which are not centred.
    _, axes = np.linalg.eigh(density.T @ density)
    main, across = axes[:, 2] * np.sign(axes[:, 2].sum()), axes[:, 1]
    hues = np.arctan2(density @ across, density @ main)
    ends = np.percentile(hues, [TAIL_PERCENT, 100 - TAIL_PERCENT])
    vectors = np.outer(np.cos(ends), main) + np.outer(np.sin(ends), across)
    return vectors[np.argsort(-vectors[:, 0])]  # haematoxylin, which is blue, takes up more red light


def _check_vectors(vectors: Float[np.ndarray, "2 3"]) -> None:
    angle = angle_deg(*vectors)
    if angle < LEAST_ANGLE_DEG:
        raise EstimateFailed(f"one stain: hues reach over {angle:.1f} degrees, expected at least {LEAST_ANGLE_DEG}")
    for vector, (name, typical) in zip(vectors, TYPICAL.items(), strict=True):
        deviation = angle_deg(vector, typical)
        if deviation > MOST_DEVIATION_DEG:
            limit = f"expected at most {MOST_DEVIATION_DEG}"
            raise EstimateFailed(f"not H&E: {name} is {deviation:.0f} degrees from its usual colour, {limit}")
    if vectors.min() < LEAST_COMPONENT:
        raise EstimateFailed("not two stains: one would give light instead of taking it up")
