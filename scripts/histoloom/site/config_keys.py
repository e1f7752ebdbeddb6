"""Lists every key that a config may have, from its schema: its place, its kind and its bounds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from histoloom.study.schema_words import BOUNDS, KINDS

Schema = Mapping[str, Any]
NAME = "<name>"  # stands for a name that the user gives, such as that of a dataset


@dataclass(frozen=True)
class ConfigKey:
    """A key of the config, dotted; `section` names the section whose values it takes, "" for a value of its own."""

    key: str
    kind: str
    section: str = ""


def config_keys(schema: Schema) -> Iterator[ConfigKey]:
    """Every key, in the order of the schema; within lists of mappings, too, as in evaluate.published[].name."""
    sections = {values["$ref"]: name for name, values in schema["properties"].items() if "$ref" in values}
    for name, values in schema["properties"].items():
        yield from _below(schema, name, _resolved(schema, values), sections)


def _below(schema: Schema, key: str, values: Schema, sections: Mapping[str, str]) -> Iterator[ConfigKey]:
    for name, inner in values.get("properties", {}).items():
        yield from _at(schema, f"{key}.{name}", inner, sections)
    if isinstance(values.get("additionalProperties"), dict) and "properties" in values["additionalProperties"]:
        yield from _below(schema, f"{key}.{NAME}", values["additionalProperties"], sections)
    if "properties" in values.get("items", {}):
        yield from _below(schema, f"{key}[]", values["items"], sections)


def _at(schema: Schema, key: str, values: Schema, sections: Mapping[str, str]) -> Iterator[ConfigKey]:
    reference = values.get("$ref", "")
    if reference in sections:
        yield ConfigKey(key, "values of a section", sections[reference])
    elif NAME in key and key.endswith(".resources"):
        yield ConfigKey(key, "values of a section", "resources")
    else:
        resolved = _resolved(schema, values)
        yield ConfigKey(key, kind(schema, resolved))
        yield from _below(schema, key, resolved, sections)


def _resolved(schema: Schema, values: Schema) -> dict[str, Any]:
    """A node with what its $ref leads to."""
    definition = schema["$defs"][values["$ref"].rpartition("/")[2]] if "$ref" in values else {}
    return {**definition, **{name: value for name, value in values.items() if name != "$ref"}}


def kind(schema: Schema, values: Schema) -> str:
    """What a value may be, in words.

    >>> kind({}, {"type": "integer", "minimum": 1}), kind({}, {"enum": ["a", "b", "c"]})
    ('a whole number, at least 1', 'a, b or c')
    >>> kind({}, {"type": "array", "items": {"type": "number"}})
    'a list, each a number'
    """
    if "enum" in values:
        *others, last = map(str, values["enum"])
        return f"{', '.join(others)} or {last}" if others else last
    kinds = [values["type"]] if isinstance(values["type"], str) else values["type"]
    words = [_list(schema, values) if one == "array" else KINDS[one].replace("finite ", "") for one in kinds]
    bounds = [BOUNDS[name].format(values[name]) for name in BOUNDS if name in values and name != "minLength"]
    return ", ".join([" or ".join(words), *bounds])


def _list(schema: Schema, values: Schema) -> str:
    items = _resolved(schema, values.get("items", {}))
    if "properties" in items:
        return "a list of mappings"
    return f"a list, each {kind(schema, items)}" if items else "a list"
