"""How sure the gain of tuning is: the best trial against the config's own values, on the same validation images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from histoloom.errors import InputError
from histoloom.evaluate.statistics.bootstrap import interval, resample
from histoloom.train.selection import selection_scores
from histoloom.tune.trials import confusions_of

COLUMNS = ("what", "trial", "score", "low", "high", "groups")


def read_confusions(path: Path) -> dict[str, Int64[np.ndarray, "classes classes"]]:
    """The confusion matrix of each validation image in a trial's best epoch, by the image's name."""
    if not path.is_file():
        raise InputError(
            f"{path}: missing; expected what a scored trial has kept; remove the folder {path.parents[1]} to seek anew"
        )
    with np.load(path) as file:
        return dict(zip(file["images"].tolist(), file["confusion"], strict=True))


def by_group(
    confusions: Mapping[str, Int64[np.ndarray, "classes classes"]], group_of: Mapping[str, str], groups: Sequence[str]
) -> Int64[np.ndarray, "groups classes classes"]:
    """Sum the matrices of each group's images; a group without any has zeros."""
    classes = len(next(iter(confusions.values())))
    sums = np.zeros((len(groups), classes, classes), np.int64)
    for name, confusion in confusions.items():
        sums[groups.index(group_of[name])] += confusion
    return sums


def gain_of(
    best: int,
    default: int | None,
    folder: Path,
    group_of: Mapping[str, str],
    score: tuple[str, str],
    resamples: int,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """The rows of two trials, by number, of the study in `folder`; None: the first one has no score.

    `group_of` is the group of each image by its name, `score` is metric and class.
    """
    numbers = {best} if default is None else {best, default}
    confusions = {number: read_confusions(confusions_of(folder, number)) for number in numbers}
    groups = sorted({group_of[name] for name in confusions[best]})
    sides = {number: (number, by_group(each, group_of, groups)) for number, each in confusions.items()}
    return gain_rows(sides[best], sides.get(default), score, groups, resamples, rng)


def gain_rows(
    best: tuple[int, Int64[np.ndarray, "groups classes classes"]],
    default: tuple[int, Int64[np.ndarray, "groups classes classes"]] | None,
    score: tuple[str, str],
    groups: Sequence[str],
    resamples: int,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """Score with its 95 % interval of the best trial, of the first one, and of the difference of both.

    Each trial is (number, confusion by group); `score` is metric and class. Groups are drawn with replacement, the same
    ones for both, and their matrices pooled, as the score is. The best was chosen on these very images among all
    trials, so its score, and the difference, are too high by some amount: the test part tells what is left of it.
    With one group there is nothing to draw, and no interval.
    """
    weights = resample(groups, resamples, rng).weights
    sides = {"best": best, **({"default": default} if default else {})}
    drawn = {name: _scores(_drawn(confusion, weights), score) for name, (_, confusion) in sides.items()}
    own = {name: _scores(confusion.sum(0)[None], score)[0] for name, (_, confusion) in sides.items()}
    rows = [(name, number, own[name], drawn[name]) for name, (number, _) in sides.items()]
    if default:
        rows.append(("difference", best[0], own["best"] - own["default"], drawn["best"] - drawn["default"]))
    return [_row(*row, len(groups)) for row in rows]


def _drawn(
    confusion: Int64[np.ndarray, "groups classes classes"], weights: Float64[np.ndarray, "resamples groups"]
) -> Int64[np.ndarray, "resamples classes classes"]:
    return np.rint(np.einsum("rg,gtp->rtp", weights, confusion)).astype(np.int64)


def _scores(
    confusions: Int64[np.ndarray, "draws classes classes"], score: tuple[str, str]
) -> Float64[np.ndarray, " draws"]:
    return selection_scores(confusions, *score)


def _row(what: str, trial: int, score: float, drawn: Float64[np.ndarray, " resamples"], groups: int) -> dict:
    low, high = interval(drawn) if groups > 1 and np.isfinite(drawn).any() else (None, None)
    return {"what": what, "trial": trial, "score": float(score), "low": low, "high": high, "groups": groups}
