"""Checks of what a config says of slides and of smoothing: files that are there, models that are trained, kernels."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from histoloom.errors import InputError
from histoloom.study.checks.plugins import Problem, likely
from histoloom.study.sections import owner, section
from histoloom.study.slide_list import listed_slides

REGION_KEYS = ("unit", "kernel", "kernel_size", "opening", "closing", "hole_area", "min_region_area")


def slide_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of section slides, which only matters where it lists some."""
    values = config["slides"]
    if not values.get("files"):
        return
    try:
        slides = listed_slides({"model": "none"} | values)
    except InputError as error:
        yield ("slides", "files"), str(error).removeprefix("slides.files: ")
        return
    for model in dict.fromkeys(slide.model for slide in slides):
        yield from _model_problems(config, model)
    checksums = values.get("checksums", "none")
    if checksums != "none" and not Path(checksums).is_file():
        yield ("slides", "checksums"), f"no file {checksums}; expected what sha256sum wrote, or none; mend the path"


def region_problems(config: Mapping[str, Any], dataset: str, architecture: str) -> Iterator[Problem]:
    """Problems of section regions as it is for one dataset and architecture."""
    values = section(config, "regions", dataset, architecture)
    yield from _kernel_problems(values, owner(config, "regions", "kernel", dataset, architecture))
    for place, tried in enumerate(values.get("tried", [])):
        key = (*owner(config, "regions", "tried", dataset, architecture), place)
        yield from ((key, f"unknown key '{name}'; {likely(str(name), list(REGION_KEYS))}") for name in _unknown(tried))
        yield from _kernel_problems(tried, key)


def _unknown(tried: Mapping[str, Any]) -> list[str]:
    return [name for name in tried if name not in REGION_KEYS]


def _kernel_problems(values: Mapping[str, Any], key: tuple) -> Iterator[Problem]:
    kernel, size = values.get("kernel", "none"), values.get("kernel_size", 0)
    if (kernel == "none") != (size == 0):
        yield key, f"{kernel} with kernel_size {size}; expected a kernel and a size above 0, or none and 0; set both"


def _model_problems(config: Mapping[str, Any], model: str) -> Iterator[Problem]:
    dataset, _, architecture = model.partition("/")
    chosen = config["study"]
    if dataset not in chosen.get("datasets", []) or architecture not in chosen.get("architectures", []):
        models = [f"{one}/{other}" for one in chosen.get("datasets", []) for other in chosen.get("architectures", [])]
        yield ("slides", "model"), f"'{model}' is trained by no part of this study; {likely(model, models)}"
        return
    is_normalised = section(config, "normalise", dataset).get("method", "none") != "none"
    if is_normalised and config["slides"].get("fold") == "all":
        yield (
            ("slides", "fold"),
            f"all, but {dataset} is normalised to each fold's own stain; expected best: a slide is given that fold's",
        )
