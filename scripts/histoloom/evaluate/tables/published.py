"""Figures from papers, to stand in the table of scores beside our own and be marked as what they are."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from histoloom.class_names import ALL, FOREGROUND, MEAN
from histoloom.errors import InputError
from histoloom.evaluate.direction import AVERAGING
from histoloom.evaluate.scores import definition
from histoloom.evaluate.statistics.averaging import TISSUE_MEANS
from histoloom.evaluate.tables.summary import SUMMARY_COLUMNS
from histoloom.plugins import names, suggestion

PUBLISHED = "published"
TEXTS = ("name", "metric", "class", "source", "definition")
KEYS = (*TEXTS, "value")
SHARE = "[0, 1]"  # stands in the definition of a metric that is one
AVERAGINGS = ("", "pooled", *TISSUE_MEANS)  # "": the mean over images
SETTING = "evaluate.published"


def published_rows(
    dataset: str, figures: Sequence[Any], architectures: Collection[str], classes: Collection[str]
) -> Iterator[tuple]:
    """Rows of summary.csv of figures that papers print: a value without interval, its definition and its source.

    Each figure has name, metric, class, value, source and definition; its metric is named as in our tables, its class
    is one of the dataset's or of several together, its name is none of our `architectures`. Raises InputError for
    anything else.
    """
    seen: set[tuple[str, ...]] = set()
    for place, figure in enumerate(figures):
        where = f"{SETTING}[{place}]"
        _check_keys(where, figure)
        _check_words(where, figure, architectures, classes)
        _check_value(where, figure)
        key = tuple(figure[name] for name in ("name", "metric", "class"))
        if key in seen:
            raise InputError(f"{where}: {' '.join(key)} stands there twice; expected one value; leave one out")
        seen.add(key)
        yield _row(dataset, figure)


def _row(dataset: str, figure: Mapping[str, Any]) -> tuple:
    cells = {
        "dataset": dataset,
        "architecture": figure["name"],
        "kind": PUBLISHED,
        "metric": figure["metric"],
        "class": figure["class"],
        "mean": float(figure["value"]),
        "definition": f"{figure['definition'].rstrip('. ')}; source: {figure['source'].rstrip('. ')}.",
    }
    return tuple(cells.get(column) for column in SUMMARY_COLUMNS)


def _check_keys(where: str, figure: object) -> None:
    if not isinstance(figure, Mapping):
        raise InputError(f"{where}: {figure!r}; expected a mapping of {', '.join(KEYS)}; write it so")
    if unknown := [key for key in figure if key not in KEYS]:
        raise InputError(f"{where}: unknown key '{unknown[0]}'; {suggestion(str(unknown[0]), list(KEYS))}")
    for key in TEXTS:
        text = figure.get(key)
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{where}: {key} is {text!r}; expected text; add it, since a bare number says nothing")


def _check_words(
    where: str, figure: Mapping[str, Any], architectures: Collection[str], classes: Collection[str]
) -> None:
    if figure["name"] in architectures:
        raise InputError(
            f"{where}: name '{figure['name']}' is an architecture of this study; expected another one; "
            f"write whose it is, such as '{figure['name']} (authors)'"
        )
    metrics = [_named(name, averaging) for name in names("metrics") for averaging in AVERAGINGS]
    for key, choices in (("metric", metrics), ("class", sorted({FOREGROUND, MEAN, ALL, *classes}))):
        if figure[key] not in choices:
            raise InputError(f"{where}: unknown {key} '{figure[key]}'; {suggestion(figure[key], choices)}")


def _check_value(where: str, figure: Mapping[str, Any]) -> None:
    value = figure.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{where}: value is {value!r}; expected a number; write it without a unit or percent sign")
    if SHARE in definition(_base(figure)) and not 0 <= value <= 1:
        raise InputError(
            f"{where}: value is {value}; expected 0 to 1, as {figure['metric']} is defined; divide a percentage by 100"
        )


def _named(metric: str, averaging: str) -> str:
    return f"{metric}{AVERAGING}{averaging}" if averaging else metric


def _base(figure: Mapping[str, Any]) -> str:
    return figure["metric"].partition(AVERAGING)[0]
