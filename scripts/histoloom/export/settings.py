"""predict.json of exported weights: how the study predicted and post-processed images, and how it would slides.

A folder of weights may come from a stranger, and what its files say becomes flags of other scripts: each value is a
number, a truth value, or one of a few words, never a list and never a path.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.files import write_json
from histoloom.formats.whole import whole_text
from histoloom.networks import PRECISIONS
from histoloom.predict.engine.engine import EngineSettings
from histoloom.predict.engine.tiling import OVERLAPS, WINDOWS
from histoloom.predict.regions.settings import KERNELS, UNITS, RegionSettings
from histoloom.predict.thresholds import KIND, MIN_AREA, Thresholds, configured_options, read_thresholds
from histoloom.slides.tissue import TissueSettings

MODEL, SETTINGS, THRESHOLDS, REFERENCE = "model.safetensors", "predict.json", "postprocess.json", "reference.npz"
NAME = re.compile("[a-z0-9_]+/[a-z0-9_]+")
LARGEST = 1e15  # of any number: far beyond every length and area, and what a float holds to the last unit


@dataclass(frozen=True)
class SlideSettings:
    """The rest of section slides; outside: class of what is no tissue, 0 or 255; model_mpp: 0 as the card states."""

    margin_px: int
    outside: int
    simplify_um: float
    model_mpp: float


GROUPS = {
    "engine": EngineSettings,
    "regions": RegionSettings,
    "slide_engine": EngineSettings,
    "slide_regions": RegionSettings,
    "tissue": TissueSettings,
    "slide": SlideSettings,
}
CHOICES = {
    "overlap": OVERLAPS,
    "window": WINDOWS,
    "precision": ("auto", *PRECISIONS),
    "kernel": KERNELS,
    "unit": UNITS,
    "outside": (0, 255),
}
EXPECTED = {bool: "bool: true or false", int: "int, 0 or more", float: "a number, 0 or more"}


@dataclass(frozen=True)
class ExportedSettings:
    """What predict.json says.

    name: "dataset/architecture". engine, regions: of images. slide_engine, slide_regions: the same of slides, tissue:
    how it is found, slide: the rest of section slides.
    """

    name: str
    engine: EngineSettings
    regions: RegionSettings
    slide_engine: EngineSettings
    slide_regions: RegionSettings
    tissue: TissueSettings
    slide: SlideSettings


def write_settings(folder: Path, name: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
    """Write predict.json; `groups` has the values of each of GROUPS."""
    write_json(folder / SETTINGS, {"name": name, **{group: dict(sorted(groups[group].items())) for group in GROUPS}})


def read_settings(folder: Path) -> ExportedSettings:
    """Read predict.json; InputError where a value is missing, unknown, of another type, or none of those it may be."""
    path = folder / SETTINGS
    values = _object(path)
    name = values.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(f"{path}: name is {_shown(name)}; expected dataset/architecture; mend it, or export again")
    groups = {group: _built(path, group, kind, values.get(group)) for group, kind in GROUPS.items()}
    return ExportedSettings(name, **groups)


def thresholds_of(folder: Path) -> Thresholds:
    """Read postprocess.json; InputError for a damaged file, and for options that its method does not have."""
    path = folder / THRESHOLDS
    values = _object(path)
    method, options = values.get("method"), values.get("options")
    if method not in plugins.names(KIND):
        expected = f"one of {', '.join(plugins.names(KIND))}"
        raise InputError(f"{path}: method is {_shown(method)}; expected {expected}; mend it, or export again")
    if not isinstance(options, dict):
        raise InputError(f"{path}: options is {_shown(options)}; expected an object; mend it, or export again")
    _check(path, "", {name: values[name] for name in (MIN_AREA,) if name in values}, {MIN_AREA: int})
    _told_of(path, configured_options, method, options, values[MIN_AREA])
    return read_thresholds(path, method)


def _object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(whole_text(path, "JSON that export_weights.py wrote"))
        if not isinstance(values, dict):
            raise ValueError(f"holds a {type(values).__name__}")
    except (ValueError, RecursionError) as error:
        reason = "it nests too deep" if isinstance(error, RecursionError) else error
        raise InputError(
            f"{path}: {reason}; expected a JSON object that export_weights.py wrote; give --export a folder that it "
            "made, or export again"
        ) from error
    return values


def _built(path: Path, group: str, kind: type, values: Any) -> Any:
    if not isinstance(values, dict):
        raise InputError(f"{path}: {group} is {_shown(values)}; expected an object; mend the file, or export again")
    kinds = {each.name: each.type for each in fields(kind)}
    _check(path, f"{group}.", values, kinds)
    return _told_of(path, kind, **{name: kinds[name](value) for name, value in values.items()})


def _check(path: Path, group: str, values: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    for name in {**kinds, **values}:
        found = f"is {_shown(values[name])}" if name in values else "is missing"
        if name not in kinds:
            wanted = f"one of {', '.join(kinds)}"
        elif name in CHOICES:
            wanted = (
                "" if _is_among(CHOICES[name], values.get(name)) else f"one of {', '.join(map(str, CHOICES[name]))}"
            )
        else:
            wanted = "" if _is_a(kinds[name], values.get(name)) else EXPECTED[kinds[name]]
        if wanted:
            raise InputError(f"{path}: {group}{name} {found}; expected {wanted}; mend the file, or export again")


def _is_a(kind: type, value: Any) -> bool:
    assert kind in EXPECTED, f"{kind}: a text needs its CHOICES, since it becomes a flag of another script"
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, (int, float) if kind is float else kind) and 0 <= value <= LARGEST


def _is_among(choices: tuple[Any, ...], value: Any) -> bool:
    return type(value) is type(choices[0]) and value in choices  # 1 is True, and an overlap


def _told_of(path: Path, function: Any, *values: Any, **named: Any) -> Any:
    try:
        return function(*values, **named)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _shown(value: Any) -> str:
    return f"{value!r:.80}"
