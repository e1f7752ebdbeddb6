"""How well a quantity of each image, such as a share of area or a number of nuclei, agrees with truth over images.

Each function takes the quantity in truth and in prediction and a weight for each image, a row for each resample, so
that a bootstrap is one matrix product. Weights say how often an image was drawn. An image whose truth or prediction is
NaN does not count, and with fewer than two different images everything is NaN.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

ROUNDING = 1e-12  # variances below this share of the mean square are differences of rounded numbers
LIMIT_SD = 1.96  # 95 % of normally distributed differences lie within


@dataclass(frozen=True)
class _Spread:
    """Variances (divided by n) of truth, prediction and their difference; the difference is predicted - truth."""

    drawn: Float64[np.ndarray, " resamples"]
    bias: Float64[np.ndarray, " resamples"]
    truth: Float64[np.ndarray, " resamples"]
    predicted: Float64[np.ndarray, " resamples"]
    difference: Float64[np.ndarray, " resamples"]


def r2(
    truth: Float64[np.ndarray, " images"],
    predicted: Float64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples images"],
) -> Float64[np.ndarray, " resamples"]:
    """Share of the variance of truth that the prediction explains, in (-inf, 1]; NaN where truth does not vary.

    1 - sum of squared differences / sum of squared differences of truth from its mean: below 0 where predicting the
    mean of truth for every image were better.
    Source: Kvålseth, Cautionary note about R2, The American Statistician 1985 (its first definition).

    >>> r2(np.array([1.0, 2, 3]), np.array([1.0, 2, 4]), np.ones((1, 3)))
    array([0.5])
    """
    spread = _spread(truth, predicted, weights)
    return 1 - _divided(spread.difference + spread.bias**2, spread.truth)


def concordance(
    truth: Float64[np.ndarray, " images"],
    predicted: Float64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples images"],
) -> Float64[np.ndarray, " resamples"]:
    """Concordance correlation in [-1, 1]: how near the images lie to the line of identity; NaN where neither varies.

    Source: Lin, A concordance correlation coefficient to evaluate reproducibility, Biometrics 1989, with variances
    divided by n as there.

    >>> concordance(np.array([1.0, 2, 3]), np.array([2.0, 3, 4]), np.ones((1, 3))).round(3)  # 2 * 2/3 / (4/3 + 1)
    array([0.571])
    """
    spread = _spread(truth, predicted, weights)
    both = spread.truth + spread.predicted
    # Twice the covariance is what the variance of the difference lacks of the sum of both.
    return _divided(both - spread.difference, np.where(both > 0, both + spread.bias**2, 0))


def truth_mean(
    truth: Float64[np.ndarray, " images"],
    predicted: Float64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples images"],
) -> Float64[np.ndarray, " resamples"]:
    """Mean of the true values: what the others are to be read beside, such as the prevalence of a class.

    >>> truth_mean(np.array([1.0, 2, 3]), np.array([1.0, 2, 4]), np.ones((1, 3)))
    array([2.])
    """
    defined = ~(np.isnan(truth) | np.isnan(predicted))
    known = np.where(defined, weights, 0.0)
    drawn = _spread(truth, predicted, weights).drawn  # NaN where the others are
    return np.where(np.isnan(drawn), np.nan, _divided(known @ np.where(defined, truth, 0.0), known.sum(axis=1)))


def bias(
    truth: Float64[np.ndarray, " images"],
    predicted: Float64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples images"],
) -> Float64[np.ndarray, " resamples"]:
    """Mean of predicted minus truth, in the quantity's unit: above 0 where too much is predicted.

    Source: Bland and Altman, Statistical methods for assessing agreement, Lancet 1986.

    >>> bias(np.array([1.0, 2, 3]), np.array([2.0, 3, 4]), np.ones((1, 3)))
    array([1.])
    """
    return _spread(truth, predicted, weights).bias


def lower_limit(
    truth: Float64[np.ndarray, " images"],
    predicted: Float64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples images"],
) -> Float64[np.ndarray, " resamples"]:
    """Lower 95 % limit of agreement: bias - 1.96 SD of predicted minus truth (SD divided by n - 1).

    Source: Bland and Altman, Statistical methods for assessing agreement, Lancet 1986.

    >>> lower_limit(np.zeros(3), np.array([0.0, 1, 2]), np.ones((1, 3))).round(2)
    array([-0.96])
    """
    spread = _spread(truth, predicted, weights)
    return spread.bias - LIMIT_SD * _sample_sd(spread)


def upper_limit(
    truth: Float64[np.ndarray, " images"],
    predicted: Float64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples images"],
) -> Float64[np.ndarray, " resamples"]:
    """Upper 95 % limit of agreement: bias + 1.96 SD of predicted minus truth (SD divided by n - 1).

    Source: Bland and Altman, Statistical methods for assessing agreement, Lancet 1986.

    >>> upper_limit(np.zeros(3), np.array([0.0, 1, 2]), np.ones((1, 3))).round(2)
    array([2.96])
    """
    spread = _spread(truth, predicted, weights)
    return spread.bias + LIMIT_SD * _sample_sd(spread)


def _spread(
    truth: Float64[np.ndarray, " images"],
    predicted: Float64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples images"],
) -> _Spread:
    defined = ~(np.isnan(truth) | np.isnan(predicted))
    columns = np.where(defined, np.stack([truth, predicted, predicted - truth]), 0)
    centres = columns.sum(axis=1, keepdims=True) / max(defined.sum(), 1)
    columns = np.where(defined, columns - centres, 0)  # numbers about zero lose no digits when squares are subtracted
    sums = weights @ np.vstack([defined, columns, columns**2]).T
    enough = np.count_nonzero((weights > 0)[:, defined], axis=1) >= 2
    drawn = np.where(enough, sums[:, 0], np.nan)
    means, squares = np.split(sums[:, 1:].T / drawn, 2)
    variances = squares - means**2
    variances[variances <= ROUNDING * squares] = 0
    return _Spread(drawn, means[2] + centres[2], *variances)


def _sample_sd(spread: _Spread) -> Float64[np.ndarray, " resamples"]:
    return np.sqrt(_divided(spread.difference * spread.drawn, np.maximum(spread.drawn - 1, 0)))


def _divided(
    above: Float64[np.ndarray, " resamples"], below: Float64[np.ndarray, " resamples"]
) -> Float64[np.ndarray, " resamples"]:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
