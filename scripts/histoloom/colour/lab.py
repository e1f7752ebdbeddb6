"""Colours of tissue in CIELAB (lightness, green to red, blue to yellow), where Reinhard's methods change them.

OpenCV converts. torchstain's Reinhard cannot be given a mask: it takes the statistics of all that it maps, glass
included. It also cuts fractions off where rounding is meant, and takes twenty times as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from histoloom.colour.stain import DENSITY, TISSUE_GREEN, EstimateFailed, check_count

LEAST_SD = 0.5  # CIELAB units: a just noticeable difference is about 2, tissue varies by 4 to 15


@dataclass(frozen=True)
class LabMoments:
    """Mean and standard deviation of lightness (0 to 100), a and b of tissue pixels."""

    means: Float[np.ndarray, "3"]
    sds: Float[np.ndarray, "3"]


def lab_moments(tissue: UInt8[np.ndarray, "pixels 3"]) -> LabMoments:
    """Measure tissue pixels; raises EstimateFailed for fewer than 1,000 of them, and for tissue of one colour."""
    check_count(tissue)
    means, sds = cv2.meanStdDev(_to_lab(tissue[None]))  # in one row: OpenCV works row by row
    moments = LabMoments(means[:, 0], sds[:, 0])
    if moments.sds.min() < LEAST_SD:
        raise EstimateFailed(f"one colour: a channel of CIELAB varies by {moments.sds.min():.2f}")
    return moments


def typical_moments(tissues: Sequence[UInt8[np.ndarray, "_ 3"]]) -> LabMoments:
    """Medians of the moments of several images, given their tissue pixels.

    Of each alone: the spread of pooled pixels would hold the differences between images too, and give every image more
    contrast than any has.
    """
    moments = [lab_moments(tissue) for tissue in tissues]
    return LabMoments(
        np.median([each.means for each in moments], axis=0), np.median([each.sds for each in moments], axis=0)
    )


def changed_in_lab(
    image: UInt8[np.ndarray, "height width 3"], scales: Float[np.ndarray, "3"], shifts: Float[np.ndarray, "3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Scale and shift the channels of CIELAB in the measure in which a pixel takes up green light: glass stays glass.

    From none at brightness 240 it grows to the whole at 180, the brightest tissue: no seam shows at its edge. Colours
    outside RGB are cut to its range, and rounded.
    """
    lab = _to_lab(image) * scales.astype(np.float32) + shifts.astype(np.float32)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255  # OpenCV cuts at 0 and 1, so that no value wraps around
    weight = np.clip(DENSITY / DENSITY[TISSUE_GREEN], 0, 1).astype(np.float32)[image[..., 1:2]]
    return np.rint(image + weight * (rgb - image)).astype(np.uint8)


def _to_lab(image: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width 3"]:
    return cv2.cvtColor(image / np.float32(255), cv2.COLOR_RGB2LAB)
