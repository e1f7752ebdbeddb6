"""Checks of what a config says of exports: models that are trained, a fold that there is, networks that can leave."""

from collections.abc import Iterator, Mapping
from typing import Any

from histoloom.export.unsupported import PROGRAMS, REASONS
from histoloom.study.checks.plugins import Problem, likely
from histoloom.study.sections import fold_count, section

BEST = "best"


def export_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of section export, which only matters where it asks for a format."""
    values, chosen = config["export"], config["study"]
    if not values.get("formats"):
        return
    trained = [f"{one}/{other}" for one in chosen.get("datasets", []) for other in chosen.get("architectures", [])]
    for place, model in enumerate(values.get("models", [])):
        if model not in trained:
            message = f"'{model}' is trained by no part of this study; {likely(model, trained)}"
            yield ("export", "models", place), message
    models = [model for model in values.get("models") or trained if model in trained]
    yield from _fold_problems(config, models)
    yield from _program_problems(config, models)


def _fold_problems(config: Mapping[str, Any], models: list[str]) -> Iterator[Problem]:
    fold = config["export"].get("fold", BEST)
    if isinstance(fold, str):
        if fold != BEST:
            yield ("export", "fold"), f"'{fold}'; expected best, or the number of a fold from 0; write best"
        return
    for dataset in dict.fromkeys(model.partition("/")[0] for model in models):
        split = section(config, "split", dataset)
        if {"scheme", "fold_count", "repeats"} <= split.keys() and fold >= fold_count(split):
            last = fold_count(split) - 1
            message = f"{fold}, but {dataset} has the folds 0 to {last}; expected one of them, or best; lower it"
            yield ("export", "fold"), message
            return


def _program_problems(config: Mapping[str, Any], models: list[str]) -> Iterator[Problem]:
    asked = [form for form in config["export"]["formats"] if form in PROGRAMS]
    for model in models if asked else ():
        entry = config["architectures"].get(model.partition("/")[2], {})
        if reason := REASONS.get(entry.get("network", "")):
            expected = "expected formats: [weights] for it; list the other models in export.models"
            yield ("export", "formats"), f"{' and '.join(asked)} of {model}: {reason}; {expected}"
