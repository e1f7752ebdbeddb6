"""Which images the pictures show: the worst, the median and the best by a rule that the pictures state."""

import csv
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from histoloom.errors import InputError
from histoloom.evaluate.direction import is_lower_better
from histoloom.plugins import suggestion
from histoloom.prepared import read_table

COLUMNS = ("rank", "name", "folds", "metric", "class", "score")  # of the table that goes with a picture
MODEL = "model"
RANKS = ("worst", "median", "best")
AVERAGING = "@"  # what follows says how images are averaged, which no single image has
Score = tuple[str, int, float]  # name of an image, fold that tested it, score


@dataclass(frozen=True)
class Choice:
    """One image to show: `rank` is "worst", "median" or "best"; `score` is the mean over `folds`, which tested it."""

    rank: str
    name: str
    folds: tuple[int, ...]
    score: float

    @property
    def fold(self) -> int:
        """The fold whose prediction is drawn: the first."""
        return self.folds[0]

    @property
    def told(self) -> str:
        """The folds in words."""
        if len(self.folds) == 1:
            return f"fold {self.fold}"
        return f"mean of folds {', '.join(map(str, self.folds))}; fold {self.fold} drawn"


@dataclass(frozen=True)
class Ranking:
    """What images are ranked by: a metric, of a class, by whose predictions."""

    architecture: str
    metric: str
    class_name: str

    @property
    def score_name(self) -> str:
        """The score as pictures name it: "dice (foreground)"."""
        return f"{self.metric.partition(AVERAGING)[0]} ({self.class_name})"

    @property
    def is_lower_better(self) -> bool:
        """Whether the best images are those with the smallest values."""
        return is_lower_better(self.metric)

    def rule(self, images: int) -> str:
        """The rule in words, for `images` images with a score."""
        better = "lower" if self.is_lower_better else "higher"
        which = f"worst, median and best of {images} test images"
        return f"{which} by {self.score_name} of {self.architecture}; {better} is better"


def chosen(path: Path, ranking: Ranking, count: int) -> tuple[list[Choice], str]:
    """Choose `count` worst, median and best images by a scores.csv; give them with the rule in words.

    Raises InputError where no image has a defined score.
    """
    return chosen_of(read_scores(path, ranking), ranking, count, path)


def chosen_of(scores: Sequence[Score], ranking: Ranking, count: int, path: Path) -> tuple[list[Choice], str]:
    """The same of scores that were read from `path` before, of the ranking's architecture, metric and class."""
    choices = choose(scores, count, ranking.is_lower_better)
    if not choices:
        raise InputError(
            f"{path}: no image has a defined {ranking.score_name} for {ranking.architecture}; expected at least one; "
            "choose another metric or class for the examples"
        )
    return choices, ranking.rule(len(by_name(scores)))


def read_scores(path: Path, ranking: Ranking) -> list[Score]:
    """Name, fold and score of each image in a scores.csv; see `scores_of_models`."""
    return scores_of_models(path, ranking.metric, ranking.class_name, [ranking.architecture])[ranking.architecture]


def scores_of_models(path: Path, metric: str, class_name: str, models: Iterable[str]) -> dict[str, list[Score]]:
    """Name, fold and score of each image in a scores.csv, by model; NaN where the score is undefined.

    Of `pq@pannuke` an image's score is its pq: what follows the @ is about many images. The table is read row by row:
    it has one for each model, image and class, of which few are wanted.
    Raises InputError where there is no table, or not such a metric in it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such table; it is written by summarise_scores.py; run the workflow again")
    found: dict[str, list[Score]] = {model: [] for model in models}
    metric = metric.partition(AVERAGING)[0]
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if metric not in header:
            raise InputError(f"{path}: no column '{metric}'; {suggestion(metric, header)}; add it to evaluate.metrics")
        model, of_class, name, fold, score = (
            header.index(column) for column in ("architecture", "class", "name", "fold", metric)
        )
        for row in rows:
            if row[of_class] == class_name and row[model] in found:
                found[row[model]].append((row[name], int(row[fold]), float(row[score] or "nan")))
    return found


def leader(summary: Sequence[Mapping[str, str]], metric: str, class_name: str, among: Collection[str]) -> str:
    """The model with the best mean in the rows of a summary.csv, ties by name; raises InputError where none has one.

    Only `among` are asked, and of those only rows of kind "model".
    """
    sign = 1 if is_lower_better(metric) else -1
    wanted = (MODEL, metric, class_name)
    means = [
        (sign * float(row["mean"]), row["architecture"])
        for row in summary
        if (row["kind"], row["metric"], row["class"]) == wanted and row["mean"] and row["architecture"] in among
    ]
    if not means:
        raise InputError(
            f"summary: no model has a defined {metric} ({class_name}); expected at least one of {', '.join(among)}; "
            "choose another metric or class for the examples"
        )
    return min(means)[1]


def choose(scores: Iterable[Score], count: int, lower_is_better: bool = False) -> list[Choice]:
    """Choose `count` worst, median and best images of (name, fold, score), by score, then name.

    An image that several folds tested is one image; its score is the mean over them, as in the tables. The median
    ones are those in the middle of the order. With fewer than 3 * `count` images none is shown twice, and worst goes
    before best, best before median. Scores that are NaN (undefined) are left out.
    """
    by_image = by_name(scores)
    sign = -1 if lower_is_better else 1
    order = sorted((sign * fmean(of_fold.values()), name) for name, of_fold in by_image.items())
    ranks = _ranks(len(order), count)
    return [
        Choice(ranks[place], name, tuple(sorted(by_image[name])), sign * score)
        for place, (score, name) in ((place, order[place]) for place in ranks)
    ]


def by_name(scores: Iterable[Score]) -> dict[str, dict[int, float]]:
    """The defined scores of each image, by fold."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for name, fold, score in scores:
        if not np.isnan(score):
            found[name][fold] = score
    return dict(found)


def description(choices: Sequence[Choice], score_name: str) -> str:
    """What the picture shows, in words: "worst: a, dice 0.123 (fold 0); ..."."""
    return "; ".join(f"{one.rank}: {one.name}, {score_name} {one.score:.3f} ({one.told})" for one in choices)


def table_rows(choices: Sequence[Choice], ranking: Ranking) -> list[tuple[str, ...]]:
    """The choices as rows of a table with COLUMNS."""
    metric = ranking.metric.partition(AVERAGING)[0]
    return [
        (one.rank, one.name, " ".join(map(str, one.folds)), metric, ranking.class_name, repr(one.score))
        for one in choices
    ]


def read_choices(path: Path) -> tuple[list[Choice], str]:
    """The choices of a table with COLUMNS, and the name of the score by which they were made."""
    rows = read_table(path)
    if not rows:
        raise InputError(f"{path}: names no image; expected at least one; draw the examples again")
    choices = [
        Choice(row["rank"], row["name"], tuple(map(int, row["folds"].split())), float(row["score"])) for row in rows
    ]
    return choices, f"{rows[0]['metric']} ({rows[0]['class']})"


def fold_folders(folders: Iterable[Path]) -> dict[int, Path]:
    """Folders by their fold: a path ends in fold<k>/<what>.

    >>> fold_folders([Path("unet/fold2/regions")])
    {2: PosixPath('unet/fold2/regions')}
    """
    found = {}
    for folder in folders:
        number = folder.parent.name.removeprefix("fold")
        if not number.isdecimal():
            raise InputError(f"{folder}: lies in '{folder.parent.name}'; expected a path that ends in fold<k>/<what>")
        found[int(number)] = folder
    return found


def of_fold(paths: Mapping[int, Any], choice: Choice, what: str) -> Any:
    """What there is of the choice's fold; `what` names it where there is none (InputError)."""
    if choice.fold not in paths:
        raise InputError(
            f"image '{choice.name}': was tested by fold {choice.fold}, of which there are no {what}; expected one of "
            f"folds {sorted(paths)}; give those of all folds"
        )
    return paths[choice.fold]


def _ranks(images: int, count: int) -> dict[int, str]:
    """The rank of each place that is shown, in the order in which they are shown; places go from worst to best."""
    count = min(count, images)
    middle = (images - count) // 2
    wanted = {"worst": range(count), "best": range(images - count, images), "median": range(middle, middle + count)}
    ranks: dict[int, str] = {}
    for rank, places in wanted.items():
        for place in places:
            ranks.setdefault(place, rank)
    return dict(sorted(ranks.items(), key=lambda item: (RANKS.index(item[1]), item[0])))
