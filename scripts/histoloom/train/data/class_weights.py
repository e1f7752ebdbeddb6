"""How much a pixel of each class counts in the loss, from how often the classes come up in the training images."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Real

from histoloom.errors import InputError
from histoloom.plugins import suggestion

WORDS = ("none", "inverse_frequency", "effective_number")


def class_weights(words: Sequence[str], pixels: Real[np.ndarray, " classes"]) -> Float64[np.ndarray, " classes"]:
    """Weight of a pixel of each class, of which the training images have `pixels`.

    words is one of these, or one number for each class, which is taken as it is:
    none: 1 for each class.
    inverse_frequency: in inverse proportion to the class's pixels, so that every class has an equal part in the loss.
    effective_number: in inverse proportion to the effective number (1 - beta ** n) / (1 - beta) of its n pixels, so
    that more pixels of a frequent class count ever less. effective_number:0.9999 states beta = (N - 1) / N, N being
    the number of different pixels that a class could show; without a number N is the mean number of pixels of a class
    that occurs, since the betas of the paper, which counts images, would make all classes alike for pixels.

    But for none and for numbers, the mean over the training pixels is 1, and a class without any pixel has 0.
    Raises InputError for a word or number that makes no sense, and where all weights would be 0.
    Source: Cui et al. 2019, "Class-balanced loss based on effective number of samples".

    >>> class_weights(["inverse_frequency"], np.array([60, 20, 0]))
    array([0.66666667, 2.        , 0.        ])
    """
    word, colon, beta = " ".join(words).partition(":")
    if word not in WORDS or (colon and word != "effective_number"):
        return _given(words, len(pixels))
    if word == "none":
        return np.ones(len(pixels))
    if not pixels.any():
        raise InputError(f"train.class_weights: {word} of no annotated pixel; expected some; annotate training images")
    numbers = pixels if word == "inverse_frequency" else _effective_numbers(pixels, beta if colon else None)
    weights = np.divide(1.0, numbers, out=np.zeros(len(pixels)), where=pixels > 0)
    return weights * pixels.sum() / (weights * pixels).sum()


def _effective_numbers(pixels: Real[np.ndarray, " classes"], beta: str | None) -> Float64[np.ndarray, " classes"]:
    """Their numerators, 1 - beta ** n: the denominator is the same for all."""
    if beta is None:
        mean = pixels.sum() / np.count_nonzero(pixels)
        return -np.expm1(pixels * math.log1p(-1 / max(mean, 2.0)))  # of 1 the logarithm would be infinite
    if not 0 < _number(beta) < 1:
        raise InputError(
            f"train.class_weights: effective_number:{beta}; expected a number between 0 and 1; "
            "write such as effective_number:0.999999, or leave it out"
        )
    return -np.expm1(pixels * math.log(_number(beta)))


def _given(words: Sequence[str], class_count: int) -> Float64[np.ndarray, " classes"]:
    weights = np.array([_number(word) for word in words])
    found = f"train.class_weights: {' '.join(words)}"
    if np.isnan(weights).any():
        unknown = next(word for word in words if math.isnan(_number(word)))
        raise InputError(f"{found}; expected one word, or a number for each class; {suggestion(unknown, list(WORDS))}")
    if len(weights) != class_count:
        raise InputError(
            f"{found}: {len(weights)} numbers; expected {class_count}, one for each class and the background first; "
            "add or remove some"
        )
    if (weights < 0).any() or not np.isfinite(weights).all() or not weights.any():
        raise InputError(f"{found}; expected finite numbers of 0 or more, and not all 0; change them")
    return weights


def _number(text: str) -> float:
    """The number that a text is; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
