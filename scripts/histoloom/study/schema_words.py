"""What the config's schema says of a value, in the words of the check: the value, what was expected, and the cure."""

import difflib
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from histoloom.study.text import Key
from histoloom.study.workflow import SCRIPTS

SCHEMA = SCRIPTS.parent / "workflow" / "schemas" / "config.schema.yaml"
KINDS = {
    "integer": "a whole number",
    "number": "a finite number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list such as [a, b]",
    "object": "keys with values",
}
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} entry",
    "minLength": "at least {} character",
    "maxLength": "at most {} characters",
}
# JSON Schema takes 10.0 for an integer, which no script's flag does, and infinity for a number.
Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) is int or (type(value) is float and math.isfinite(value)),
        }
    ),
)


@functools.cache
def schema() -> dict[str, Any]:
    """The schema of the config."""
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def explained(error: ValidationError) -> Iterator[tuple[Key, str]]:
    """(key, message) of what one schema error says; an error of unknown keys is one for each."""
    key, kind, limit, value = tuple(error.absolute_path), error.validator, error.validator_value, error.instance
    if kind == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for name in value:
            if name not in known:
                yield (*key, name), f"unknown key; {_likely(str(name), known)}"
    elif kind == "required":
        name = error.message.split("'")[1]
        yield key, f"has no '{name}'; expected one; add it"
    elif kind == "pattern":  # only names have one
        yield (*key, value), f"expected a name of small letters, digits and _; write {_slug(str(value))}"
    elif kind == "enum":
        yield key, f"{value}; expected {_either(limit)}; {_likely(str(value), [str(choice) for choice in limit])}"
    elif kind == "uniqueItems":
        yield key, f"{value}; expected every entry once; remove the second one"
    else:
        yield key, f"{value!r}; expected {_expectation(kind, limit, error.schema)}{_cure(kind, limit, value)}"


def _expectation(kind: str, limit: Any, schema: Mapping[str, Any]) -> str:
    if kind == "type":
        bounds = [BOUNDS[name].format(schema[name]) for name in BOUNDS if name in schema]
        kinds = " or ".join(KINDS[each] for each in ([limit] if isinstance(limit, str) else limit))
        return ", ".join([kinds, *bounds])
    return BOUNDS[kind].format(limit)


def _cure(kind: str, limit: Any, value: Any) -> str:
    if kind != "type":
        return ""
    if value is None:
        return "; give one or remove the key"
    if limit == "integer" and isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}"
    return f"; write '{value}' in quotes" if limit == "string" and isinstance(value, int | float) else ""


def _likely(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean '{close[0]}'?" if close else f"choices: {', '.join(choices)}"


def _either(choices: Sequence[Any]) -> str:
    return " or ".join(map(str, choices))


def _slug(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())
