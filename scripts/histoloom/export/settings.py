"""predict.json of exported weights: how the study predicted and post-processed images, and how it would slides."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from histoloom.errors import InputError
from histoloom.files import write_json
from histoloom.predict.engine.engine import EngineSettings
from histoloom.predict.regions.settings import RegionSettings

MODEL, SETTINGS, THRESHOLDS, REFERENCE = "model.safetensors", "predict.json", "postprocess.json", "reference.npz"
GROUPS = ("engine", "regions", "slide_engine", "slide_regions", "tissue", "slide")
SLIDE = {"margin_px": int, "outside": int, "simplify_um": int | float, "model_mpp": int | float}


@dataclass(frozen=True)
class ExportedSettings:
    """What predict.json says.

    name: "dataset/architecture". engine, regions: of images. slide_engine, slide_regions: the same of slides, tissue:
    how it is found, slide: the rest of section slides; as values of flags, which the slides' scripts check.
    """

    name: str
    engine: EngineSettings
    regions: RegionSettings
    slide_engine: dict[str, Any]
    slide_regions: dict[str, Any]
    tissue: dict[str, Any]
    slide: dict[str, Any]


def write_settings(folder: Path, name: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
    """Write predict.json; `groups` has the values of each of GROUPS."""
    write_json(folder / SETTINGS, {"name": name, **{group: dict(sorted(groups[group].items())) for group in GROUPS}})


def read_settings(folder: Path) -> ExportedSettings:
    """Read predict.json; InputError where a value is missing, unknown, or of another type."""
    path = folder / SETTINGS
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        groups = {group: dict(values[group]) for group in GROUPS}
        name = str(values["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: {type(error).__name__}: {error}; expected what export_weights.py wrote; give --export a folder "
            "that it made, or export again"
        ) from error
    _check(path, "slide", groups["slide"], SLIDE)
    engine = _built(path, "engine", EngineSettings, groups.pop("engine"))
    regions = _built(path, "regions", RegionSettings, groups.pop("regions"))
    return ExportedSettings(name, engine, regions, **groups)


def method_of(folder: Path) -> str:
    """The method of post-processing that postprocess.json is about; InputError for a damaged file."""
    path = folder / THRESHOLDS
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["method"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: {type(error).__name__}: {error}; expected what export_weights.py wrote; export again"
        ) from error


def _built(path: Path, group: str, kind: type, values: Mapping[str, Any]) -> Any:
    _check(path, group, values, {each.name: int | float if each.type is float else each.type for each in fields(kind)})
    return kind(**values)


def _check(path: Path, group: str, values: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    for name in {**kinds, **values}:
        expected = kinds.get(name)
        value = values.get(name)
        is_number = expected is not bool and isinstance(value, bool)
        if expected is None or not isinstance(value, expected) or is_number:
            found = f"is {value!r}" if name in values else "is missing"
            wanted = getattr(expected, "__name__", expected) if expected else f"one of {', '.join(kinds)}"
            raise InputError(f"{path}: {group}.{name} {found}; expected {wanted}; mend the file, or export again")
