"""How often each training window comes up in an epoch, and in which order."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64, UInt8

from histoloom.class_pixels import value_pixels
from histoloom.errors import InputError
from histoloom.marks import weighted_pixels
from histoloom.plugins import suggestion

SAMPLINGS = ("even", "stratum", "class")


def class_shares(
    masks: Iterable[UInt8[np.ndarray, "_ _"]], class_count: int, pseudo_weight: float = 0.0
) -> Float64[np.ndarray, "windows classes"]:
    """Share of each window's pixels that each class has; those that nobody annotated belong to none.

    A pixel that a model labelled counts `pseudo_weight`.

    >>> class_shares([np.array([[0, 0, 1, 255]], np.uint8)], 2)
    array([[0.5 , 0.25]])
    """
    rows = [weighted_pixels(value_pixels(mask), class_count, pseudo_weight) / mask.size for mask in masks]
    return np.array(rows).reshape(len(rows), class_count)


def window_odds(
    sampling: str, strata: Sequence[str], shares: Float[np.ndarray, "windows classes"] | None
) -> Float64[np.ndarray, " windows"] | None:
    """Probability of each window at each draw; None where every window comes up equally often.

    even: each window as often as any other. `strata` and `shares` are not looked at.
    stratum: as if a stratum were drawn, each as often as any other, and then one of its windows. `strata` has the
    stratum of each window.
    class: as if a class were drawn, each that occurs as often as any other, then one of its pixels, then the window
    with this pixel: the mean over the classes of the window's share of all the class's pixels. `shares` has the share
    of each window's pixels that each class has. So a class for which few windows stand comes up as often as the
    background, though not with as many pixels: around it there is background still.

    Raises InputError for another word.
    Source: class-aware sampling, Shen et al. 2016, "Relay backpropagation for effective learning of deep convolutional
    neural networks", with the windows of a class by its pixels.

    >>> window_odds("stratum", ["skin", "skin", "skin", "lung"], None).round(3)
    array([0.167, 0.167, 0.167, 0.5  ])
    """
    if sampling == "even":
        return None
    if sampling == "stratum":
        _, number, windows = np.unique(np.array(strata), return_inverse=True, return_counts=True)
        return 1 / (len(windows) * windows[number])
    if sampling == "class":
        assert shares is not None
        occurring = np.asarray(shares, np.float64)[:, shares.any(axis=0)]
        return (occurring / occurring.sum(axis=0)).mean(axis=1)
    raise InputError(
        f"train.sampling: {sampling}; expected {', '.join(SAMPLINGS)}; {suggestion(sampling, list(SAMPLINGS))}"
    )


def drawn_order(
    rng: np.random.Generator, count: int, odds: Float64[np.ndarray, " windows"] | None
) -> Int64[np.ndarray, " count"]:
    """Window numbers of the `count` draws of an epoch, in random order; the same for the same state of `rng`.

    Without odds a permutation: each of `count` windows once. With odds windows are drawn with replacement, each
    floor or ceiling of count * odds times (systematic sampling, Madow & Madow 1944), so that every epoch keeps the
    odds as closely as whole numbers can; a window with odds 0 never.
    """
    if odds is None:
        return rng.permutation(count)
    # In a new order each time: evenly spaced marks would never take two neighbours of small odds in one epoch.
    windows = rng.permutation(np.flatnonzero(odds > 0))
    reach = odds[windows].cumsum()
    marks = (np.arange(count) + rng.random()) * (reach[-1] / count)
    places = np.searchsorted(reach, marks, side="right")
    return rng.permutation(windows[np.minimum(places, len(windows) - 1)])  # rounding may put the last mark at the end
