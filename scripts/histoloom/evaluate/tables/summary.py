"""The tables of a dataset: scores of each image, and means with their intervals for each architecture."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from histoloom.class_names import ALL, FOREGROUND, MEAN
from histoloom.evaluate.counting.facts import CONFUSION, FACTS, NUCLEI, PAIRS
from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scores import can_be_pooled, class_scores, definition, fact
from histoloom.evaluate.statistics.averaging import (
    AGREEMENTS,
    TISSUE_MEANS,
    agreements,
    image_means,
    pooled,
    tissue_means,
)
from histoloom.evaluate.statistics.bootstrap import Estimate, Resampling

SCORE_KEYS = ("dataset", "architecture", "fold", "name", "group", "stratum", "class")  # of scores.csv, before metrics
SUMMARY_COLUMNS = (
    "dataset",
    "architecture",
    "kind",  # model, baseline, human (a second annotator) or published
    "metric",
    "class",
    "mean",
    "low",
    "high",
    "images",
    "groups",
    "definition",
    "skipped",  # problems that left raw files out, the same in every row: what was scored is not all that was
    "diverged",  # folds whose training broke off, with spaces between: their scores are of the last good weights
)
QUANTITIES = {
    "area_fraction": "share of the annotated pixels of an image that is of the class",
    "count": "number of nuclei in an image",
}


def score_rows(counts: Counts, metrics: Sequence[str], classes: Sequence[str]) -> Iterator[tuple]:
    """Rows of scores.csv: each image, fold and class with its score by every metric; None where undefined."""
    scores = {metric: class_scores(metric, counts.facts[fact(metric)], classes) for metric in metrics}
    names = (FOREGROUND, MEAN, ALL, *classes)
    present = [name for name in dict.fromkeys(names) if any(name in each for each in scores.values())]
    for row in counts.images.itertuples():
        image = (counts.dataset, counts.architecture, row.fold, row.name, row.group, row.stratum)
        for name in present:
            found = [cell(each[name][row.Index]) if name in each else None for each in scores.values()]
            yield (*image, name, *found)


def summary_rows(
    counts: Counts,
    kind: str,
    metrics: Sequence[str],
    classes: Sequence[str],
    resampling: Resampling,
    skipped: int = 0,
    diverged: Sequence[int] = (),
    remarks: Sequence[str] = (),
) -> Iterator[tuple]:
    """Rows of summary.csv of one architecture: each metric as a mean over images, then averaged in other ways.

    `kind` is "model", "baseline" or "human"; `skipped` counts problems that left raw files out; `diverged` are folds
    whose training broke off; `remarks` are added to each definition. With one group the interval is empty.
    """
    for metric, name, found, text in estimates(counts, metrics, classes, resampling):
        score = (metric, name, *cells(found), "; ".join([text.removesuffix("."), *remarks]) + ".")
        yield (counts.dataset, counts.architecture, kind, *score, skipped, " ".join(map(str, diverged)))


def estimates(
    counts: Counts, metrics: Sequence[str], classes: Sequence[str], resampling: Resampling
) -> Iterator[tuple[str, str, Estimate, str]]:
    """Give (metric as tables name it, class, estimate, definition), metric by metric, agreement over images last."""
    for metric in metrics:
        text = f"{definition(metric)}{_with_lengths(metric, counts)}"
        yield from _rows(metric, image_means(counts, metric, classes, resampling), metric, text, IMAGE_MEAN)
        if can_be_pooled(metric):
            found = pooled(counts, metric, classes, resampling)
            yield from _rows(f"{metric}@pooled", found, metric, text, POOLED)
        for averaging, rule in TISSUE_MEANS.items() if metric == "pq" else ():
            found = tissue_means(counts, averaging, resampling)
            yield from _rows(f"pq@{averaging}", found, metric, text, f"{TISSUE_MEAN}, {rule}")
    quantities = [name for name in QUANTITIES if (PAIRS if name == "count" else CONFUSION) in counts.facts]
    for quantity in quantities:
        for agreement, found in agreements(counts, quantity, classes, resampling).items():
            name = f"{quantity}@{agreement}"
            text = f"{QUANTITIES[quantity]}: {AGREEMENTS[agreement][1]}"
            yield from _rows(name, found, name, text[0].upper() + text[1:], "over images")


IMAGE_MEAN = "image mean: over images where defined"
POOLED = "pooled: counts of all images added up first"
TISSUE_MEAN = "image means averaged within each tissue (stratum), then over tissues"


def described(metric: str, name: str, text: str, averaging: str) -> str:
    """One sentence for the definition column: the metric, the class and how images were averaged.

    >>> described("pq", "foreground", "Panoptic quality", IMAGE_MEAN)
    'Panoptic quality; all nuclei as one class (bPQ); image mean: over images where defined.'
    """
    nuclei = metric.startswith("count@") or ("@" not in metric and FACTS[fact(metric)].needs == NUCLEI)
    of_class = {
        FOREGROUND: f"all nuclei as one class{' (bPQ)' * (metric == 'pq')}"
        if nuclei
        else "all classes but background merged",
        MEAN: "mean over the classes but background of the class means, undefined ones left out",
        ALL: "all classes",
    }.get(name, f"class {name}")
    return f"{text}; {of_class}; {averaging}."


def cells(result: Estimate) -> tuple[float | int | None, ...]:
    """An estimate as the cells mean, low, high, images, groups of a table."""
    return cell(result.mean), cell(result.low), cell(result.high), result.images, result.groups


def cell(value: float) -> float | None:
    """Six decimals, more than any score here means; None, an empty cell, for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def _rows(
    name: str, found: Mapping[str, Estimate], metric: str, text: str, averaging: str
) -> Iterable[tuple[str, str, Estimate, str]]:
    return ((name, each, result, described(metric, each, text, averaging)) for each, result in found.items())


def _with_lengths(metric: str, counts: Counts) -> str:
    """The unit and lengths of a metric, which differ between datasets and so cannot stand in its own sentence."""
    if fact(metric) == "hausdorff" or metric == "asd":
        return f" (here in {'µm' if counts.unit == 'um' else 'pixels'})"
    asked = {"boundary": 0, "centroids": 1}.get(fact(metric))
    return f" (within {counts.lengths[asked]})" if asked is not None and counts.lengths else ""
