"""How surprising a difference would be if there were none: Wilcoxon's test over groups, corrected for many tests."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy import stats

EXACT_UP_TO = 50  # groups that differ: above, the normal approximation is as good (scipy draws the line there, too)
DECIMALS = 12  # of a score: what differs less is the same but for rounding, and must tie


def wilcoxon(differences: Float64[np.ndarray, " groups"]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that differences scatter evenly around zero; NaN where none differs.

    NaN and zero differences are left out before ranking, as in Wilcoxon's paper; ties share their mean rank. Up to 50
    differences the p is exact, ties included; above, it is scipy's, by a normal approximation corrected for ties.
    Source: Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1945.

    >>> wilcoxon(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.0]))  # all five that differ agree: 2 / 2^5
    0.0625
    """
    rounded = differences[~np.isnan(differences)].round(DECIMALS)
    differing = rounded[rounded != 0]
    if not differing.size:
        return math.nan
    if differing.size > EXACT_UP_TO:
        return float(stats.wilcoxon(differing, method="asymptotic").pvalue)
    return _exact(differing)


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p values of tests made together, so that the chance of any false alarm stays below the level.

    NaN stays NaN and does not count as a test.
    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.

    >>> [round(each, 3) for each in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    adjusted = [math.nan] * len(p)
    order = sorted((place for place, each in enumerate(p) if not math.isnan(each)), key=lambda place: p[place])
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted


def _exact(differing: Float64[np.ndarray, " groups"]) -> float:
    """Count how likely each sum of ranks is when every sign is as likely as the other.

    scipy goes through all 2^n signs where ranks tie, half a second a test; adding one rank at a time takes no time.
    """
    doubled = np.rint(2 * stats.rankdata(np.abs(differing))).astype(np.int64)  # mean ranks are whole or half
    chance = np.ones(1)
    for rank in doubled:
        longer = np.zeros(chance.size + rank)
        longer[: chance.size] += chance / 2
        longer[rank:] += chance / 2
        chance = longer
    found = doubled[differing > 0].sum()
    return float(min(1.0, 2 * min(chance[: found + 1].sum(), chance[found:].sum())))
