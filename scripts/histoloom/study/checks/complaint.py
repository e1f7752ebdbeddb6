"""Checks a config before anything runs: all problems at once, each with file, line, value, expectation and cure.

Only the Snakefile imports this module: it is part of no script's fingerprint.
"""

import copy
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from jsonschema.exceptions import ValidationError

from histoloom.study.checks.config import choice_problems
from histoloom.study.merging import CATALOGUES, merged
from histoloom.study.schema_words import Validator, explained, schema
from histoloom.study.text import ConfigText, Key, dotted, read_config_text

COMMAND_LINE = "--config"
TEXT_ONLY = (
    "Of values below a section --config can set texts alone; put numbers and booleans in a file for --configfile."
)
SHOWN = 15  # problems on one page


def complaint(files: Sequence[Path | str], overrides: Mapping[str, Any]) -> str:
    """All problems of a config as one page, or "" where there are none.

    `files` and `overrides` (from --config) are laid upon each other by `merging.merged`, as the Snakefile does.
    """
    problems = config_problems([Path(file) for file in files], overrides)
    if not problems:
        return ""
    hidden = len(problems) - SHOWN
    more = [f"... and {hidden} more"] if hidden > 0 else []
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    # Snakemake reads what stands below a section as text: --config train={epochs: 3} gives "3".
    note = [TEXT_ONLY] if any(line.startswith(COMMAND_LINE) for line in problems) else []
    return "\n".join([f"error: the config has {count}; nothing was run", *problems[:SHOWN], *more, *note])


def config_problems(files: Sequence[Path], overrides: Mapping[str, Any]) -> list[str]:
    """The problems of a config, one line each: of its texts, of its values by the schema, and of what they choose."""
    texts = [*(read_config_text(file) for file in files), ConfigText(COMMAND_LINE, dict(overrides))]
    found = [problem for text in texts for problem in text.problems]
    if any(text.problems and not text.values for text in texts):
        return found  # without one of the files every other finding would be a guess
    config = merged([text.values for text in texts[:-1]], overrides)
    errors = _first_things(list(Validator(schema()).iter_errors(config)))
    later = [(key, message) for error in errors for key, message in explained(error)]
    later += choice_problems(_without(errors, config))
    said = {problem.split(": ")[0] for problem in found}  # a text that YAML misreads also has the wrong type
    placed = [f"{place(key, texts, config)}: {dotted(key)}: {message}" for key, message in later]
    return sorted({*found, *(line for line in placed if line.split(": ")[0] not in said)}, key=_line_order)


def place(key: Key, texts: Sequence[ConfigText], config: Mapping[str, Any]) -> str:
    """Where the value at `key` was set: "file:line", or "--config"; of a missing value, where its section stands."""
    for length in range(len(key), -1, -1):
        for text in reversed(texts):
            if _has(text.values, key[:length]):
                line = text.lines.get(key[:length])
                return f"{text.file}:{line}" if line else text.file
    return COMMAND_LINE


def _line_order(problem: str) -> tuple[str, int, str]:
    file, _, line = problem.split(": ", maxsplit=1)[0].rpartition(":")
    return (file, int(line), problem) if line.isdigit() else (problem, 0, problem)


def _has(values: Any, key: Key) -> bool:
    for part in key:
        fits = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if not fits and not (isinstance(values, Mapping) and part in values):
            return False
        values = values[part]
    return bool(key)


def _first_things(errors: Sequence[ValidationError]) -> list[ValidationError]:
    """Without what else is said of a value whose type is wrong."""
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    return [error for error in errors if error.validator == "type" or tuple(error.absolute_path) not in mistyped]


def _without(errors: Sequence[ValidationError], config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without the values that were complained of, of a list the whole; dicts with wrong keys stay."""
    sound = copy.deepcopy(dict(config))
    kept = ("additionalProperties", "required", "pattern")  # said of a dict's keys
    wrong = [tuple(error.absolute_path) for error in errors if error.validator not in kept]
    for key in {tuple(takewhile(_is_name, path)) for path in wrong}:
        owner: Any = sound
        for part in key[:-1]:
            owner = owner.get(part, {})
        if len(key) == 2 and key[0] in CATALOGUES:
            owner[key[1]] = {}  # still a name that may be chosen
        else:
            owner.pop(key[-1], None)
    return sound


def _is_name(part: str | int) -> bool:
    return isinstance(part, str)
