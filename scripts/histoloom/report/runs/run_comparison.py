"""What changed between two runs of a study: config, code, data, and the scores of the same images."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from histoloom.class_names import MEAN
from histoloom.evaluate.direction import has_better_side, is_lower_better
from histoloom.evaluate.statistics.bootstrap import Resampling, estimate, group_totals, mean_of_columns, resample
from histoloom.evaluate.statistics.significance import holm, wilcoxon
from histoloom.evaluate.tables.comparison import group_means, p_cell
from histoloom.evaluate.tables.summary import cell
from histoloom.report.front.verdict import Difference
from histoloom.report.runs.run_files import KEYS, Run
from histoloom.study.config_words import Change, differences

CHANGE_COLUMNS = (
    "dataset",
    "architecture",
    "metric",
    "class",
    "first",
    "second",
    "difference",
    "low",
    "high",
    "images",
    "groups",
    "p",
    "p_holm",
    "judgement",
)


@dataclass(frozen=True)
class ScoreChange:
    """One metric of one class and model in both runs, over the images where both have a value; NaN where undefined.

    `difference` is second minus first, with its 95 % interval from resampled groups; `p` is Wilcoxon's over the groups,
    `p_holm` corrected for the `tests` models of the dataset whose score of this metric and class changed.
    """

    dataset: str
    architecture: str
    metric: str
    class_name: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    images: int
    groups: int
    p: float
    p_holm: float = math.nan
    tests: int = 1

    @property
    def row(self) -> tuple[object, ...]:
        """As a row of CHANGE_COLUMNS; undefined numbers are None."""
        numbers = [cell(value) for value in (self.first, self.second, self.difference, self.low, self.high)]
        key = (self.dataset, self.architecture, self.metric, self.class_name)
        return (*key, *numbers, self.images, self.groups, p_cell(self.p), p_cell(self.p_holm), self.judgement)

    @property
    def is_same(self) -> bool:
        """Whether no image's score differs."""
        return math.isnan(self.p) and self.difference == 0

    @property
    def judgement(self) -> str:
        """In a word or two, whether the second run is better; only where interval, test and groups allow it."""
        if self.is_same:
            return "the same"
        numbers = (None if math.isnan(value) else value for value in (self.difference, self.low, self.high))
        p = None if math.isnan(self.p_holm) else self.p_holm
        shown = Difference("second", "first", *numbers, self.images, self.groups, p, self.tests)
        if shown.obstacle or not shown.is_shown:
            return "cannot be judged" if shown.obstacle else "not distinguishable"
        if not has_better_side(self.metric):
            return "differs"
        return "better" if (self.low > 0) != is_lower_better(self.metric) else "worse"


@dataclass(frozen=True)
class RunComparison:
    """All that changed between two runs; `unpaired` says what only one of them has."""

    first: str
    second: str
    config: tuple[Change, ...]
    code: tuple[str, ...]
    data: tuple[Change, ...]
    scores: tuple[ScoreChange, ...]
    unpaired: tuple[str, ...]


def compare_runs(first: Run, second: Run, resamples: int, seed: int) -> RunComparison:
    """Lay two runs side by side; `resamples` and `seed` are of the bootstrap. Same runs, same numbers."""
    changes = tuple(differences(first.config, second.config))
    prepared = differences({"prepared images": {**first.images}}, {"prepared images": {**second.images}})
    return RunComparison(
        first.place,
        second.place,
        config=tuple(change for change in changes if not change.key.startswith("raw_data")),
        code=tuple(code_changes(first, second)),
        data=(*(change for change in changes if change.key.startswith("raw_data")), *prepared),
        scores=tuple(
            change
            for dataset in first.scores
            if dataset in second.scores
            for change in score_changes(
                first.scores[dataset], second.scores[dataset], _averaged(first, second, dataset), resamples, seed
            )
        ),
        unpaired=tuple(_unpaired(first, second)),
    )


def code_changes(first: Run, second: Run) -> Iterator[str]:
    """What is known of changed code: commits of the model cards, and fingerprints by rule where both have records."""
    models = [model for model in first.commits if model in second.commits]
    commits = Counter((first.commits[model], second.commits[model]) for model in models)
    for (old, new), count in commits.items():
        if old != new:
            yield f"commit: {old} -> {new} ({count} of {len(models)} models)"
    shared = [output for output in first.code if output in second.code]
    files = Counter(second.code[output][0] for output in shared)
    changed = Counter(second.code[output][0] for output in shared if first.code[output][1] != second.code[output][1])
    for rule, count in changed.items():
        yield f"code of rule {rule}: changed for {count} of {files[rule]} files"
    if not models and not shared:
        yield "not recorded: there are neither model cards nor Snakemake's records of both runs"


def score_changes(
    first: pd.DataFrame, second: pd.DataFrame, averaged: Sequence[str], resamples: int, seed: int
) -> list[ScoreChange]:
    """Compare two tables of scores of one dataset, as `read_scores` gives them, for every model that both have.

    Images are paired by name, and belong to the groups of the second table. `averaged` are the classes that the class
    "mean" is over in both; without any it is left out.
    """
    resampling = resample(second["group"], resamples, np.random.default_rng(seed))
    metrics = [column for column in second if column not in KEYS and column in first]
    found = [
        change
        for architecture in second["architecture"].unique()
        if architecture in set(first["architecture"])
        for change in _changes_of(
            first[first["architecture"] == architecture],
            second[second["architecture"] == architecture],
            metrics,
            averaged,
            resampling,
        )
    ]
    return _corrected(found)


def _changes_of(
    first: pd.DataFrame, second: pd.DataFrame, metrics: Sequence[str], averaged: Sequence[str], resampling: Resampling
) -> Iterator[ScoreChange]:
    old, new = _by_image(first, metrics), _by_image(second, metrics)
    groups = second.drop_duplicates("name").set_index("name")["group"]
    dataset, architecture = second["dataset"].iloc[0], second["architecture"].iloc[0]
    for name in (name for name in new if name in old and (averaged or name != MEAN)):
        images = new[name].index.intersection(old[name].index)
        parts = averaged if name == MEAN else [name]
        group = np.searchsorted(resampling.groups, groups.loc[images].to_numpy(str)).astype(np.int64)
        for metric in metrics:
            columns = [np.stack([run[part][metric].reindex(images) for part in parts], axis=1) for run in (old, new)]
            if not all(np.isnan(values).all() for values in columns):  # a metric of all classes at once has one row
                yield _change((dataset, architecture, metric, name), *columns, group, resampling)


def _by_image(scores: pd.DataFrame, metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Scores by class: a row for each image, its mean over the folds that tested it."""
    return {
        name: part.groupby("name", sort=True)[list(metrics)].mean()
        for name, part in scores.groupby("class", sort=False)
    }


def _change(
    key: tuple[str, str, str, str], old: np.ndarray, new: np.ndarray, group: np.ndarray, resampling: Resampling
) -> ScoreChange:
    difference = new - old
    unshared = np.isnan(difference)
    means = (_mean(np.where(unshared, np.nan, values), group, resampling) for values in (old, new))
    found = estimate(difference, group, resampling.weights)
    by_group = group_means(difference, group, len(resampling.groups))
    return ScoreChange(
        *key, *means, found.mean, found.low, found.high, found.images, found.groups, p=wilcoxon(by_group)
    )


def _mean(values: np.ndarray, group: np.ndarray, resampling: Resampling) -> float:
    sums, counts = group_totals(values, group, len(resampling.groups))
    return float(mean_of_columns(sums.sum(axis=0, keepdims=True), counts.sum(axis=0, keepdims=True))[0])


def _corrected(found: Sequence[ScoreChange]) -> list[ScoreChange]:
    families: dict[tuple[str, str], list[int]] = {}
    for place, change in enumerate(found):
        families.setdefault((change.metric, change.class_name), []).append(place)
    corrected = list(found)
    for places in families.values():
        adjusted = holm([found[place].p for place in places])
        tests = sum(not math.isnan(found[place].p) for place in places)
        for place, p in zip(places, adjusted, strict=True):
            corrected[place] = ScoreChange(**{**vars(found[place]), "p_holm": p, "tests": max(1, tests)})
    return corrected


def _unpaired(first: Run, second: Run) -> Iterator[str]:
    for run, other in ((first, second), (second, first)):
        for dataset in (name for name in run.scores if name not in other.scores):
            yield f"only {run.place} has scores of {dataset}"
        for dataset in (name for name in run.scores if name in other.scores):
            mine, theirs = run.scores[dataset], other.scores[dataset]
            for column, nouns in (("architecture", "models"), ("name", "images")):
                yield from _only(set(mine[column]) - set(theirs[column]), nouns, dataset, run.place)
            yield from _only({*mine.columns} - {*theirs.columns}, "metrics", dataset, run.place)
            yield from _only({*run.classes[dataset]} - {*other.classes[dataset]}, "classes", dataset, run.place)
    for dataset in (name for name in first.scores if name in second.scores):
        if not _averaged(first, second, dataset):
            yield f"class {MEAN} of {dataset}: over other classes in each run, so not compared"


def _averaged(first: Run, second: Run, dataset: str) -> tuple[str, ...]:
    """The classes that "mean" is over: all but background, or none where they are not the same in both runs."""
    old, new = first.classes[dataset][1:], second.classes[dataset][1:]
    return new if {*new} == {*old} else ()


def _only(names: set[str], nouns: str, dataset: str, place: str) -> Iterator[str]:
    if names:
        shown = sorted(names)
        more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        yield f"{nouns} of {dataset} that only {place} has: {', '.join(shown[:3])}{more}"
