"""Probabilities of all classes smoothed by a kernel, in whole numbers: no order of summing can change a result."""

import cv2
import numpy as np
from jaxtyping import Float32, Num, UInt8

from histoloom.predict.regions.settings import RegionPlan

PARTS = 4096  # of the Gaussian's sum: 255 * 16 * 4096 is below 2^24, so 32-bit floats hold all sums without loss
KEPT_PARTS = 16  # of a grey level, to which sums along rows are rounded


def smoothed(
    planes: UInt8[np.ndarray, "classes rows columns"], plan: RegionPlan
) -> Num[np.ndarray, "classes inner_rows inner_columns"]:
    """Weighted sums or medians around each pixel at least `plan.kernel_reach` from the edge, on the kernel's own scale.

    gaussian: separable weights in 4096ths (see gaussian_weights), cut off at three standard deviations; sums along rows
    are rounded to 16ths of a level, halves to even. mean: the sum over the square. median: over the square.
    What is compared between classes is not rounded any further.
    """
    if plan.kernel == "none":
        return planes
    inner = slice(plan.kernel_reach, -plan.kernel_reach)
    return np.stack([KERNELS[plan.kernel](plane, plan)[inner, inner] for plane in planes])


def gaussian_weights(sigma: float, reach: int) -> Float32[np.ndarray, " taps"]:
    """Weights from -reach to reach in 4096ths: symmetrical whole numbers, each within 1 of the Gaussian's, sum 4096.

    Rounded are the sums from the middle outwards, so that errors do not add up.

    >>> gaussian_weights(0.5, 2).astype(int)
    array([   1,  436, 3222,  436,    1])
    """
    half = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    # Each weight but the middle one comes twice.
    twice = np.cumsum(half * np.where(np.arange(reach + 1) > 0, 2, 1))
    pairs = np.rint(twice / twice[-1] * (PARTS / 2))
    outer = np.diff(pairs)
    return np.concatenate([outer[::-1], 2 * pairs[:1], outer]).astype(np.float32)


def _gaussian(plane: UInt8[np.ndarray, "rows columns"], plan: RegionPlan) -> Float32[np.ndarray, "rows columns"]:
    weights, nothing = gaussian_weights(plan.sigma, plan.kernel_reach), np.ones(1, np.float32)
    along_rows = cv2.sepFilter2D(plane, cv2.CV_32F, weights, nothing)
    along_rows *= KEPT_PARTS / PARTS
    return cv2.sepFilter2D(np.rint(along_rows, out=along_rows), cv2.CV_32F, nothing, weights)


def _mean(plane: UInt8[np.ndarray, "rows columns"], plan: RegionPlan) -> Num[np.ndarray, "rows columns"]:
    side = 2 * plan.kernel_reach + 1
    return cv2.boxFilter(plane, cv2.CV_32S, (side, side), normalize=False)


def _median(plane: UInt8[np.ndarray, "rows columns"], plan: RegionPlan) -> UInt8[np.ndarray, "rows columns"]:
    return cv2.medianBlur(plane, 2 * plan.kernel_reach + 1)


KERNELS = {"gaussian": _gaussian, "mean": _mean, "median": _median}
