"""A config file as text: its values, the line of each, and what YAML would pass over in silence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]  # the way to a value: ("train", "epochs"), ("study", "datasets", 0)

EXPONENT = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d+)(?:\.(?P<rest>\d*))?[eE](?P<power>[+-]?\d+)")
# What YAML makes of a key that is not quoted, by the end of its tag; any other kind of key is text.
KEY_KINDS = {"int": "a number", "float": "a number", "bool": "true or false", "null": "null", "timestamp": "a date"}
DOUBTFUL = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class TextKeyLoader(yaml.SafeLoader):
    """Reads every key as the text that is written, also one that YAML takes for a number or a date."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Lay merged mappings (`<<`) into the node, as YAML does, then make its keys texts."""
        super().flatten_mapping(node)
        for key, _ in node.value:
            key.tag = "tag:yaml.org,2002:str"


@dataclass
class ConfigText:
    """What was read of one file: values, line numbers from 1, and problems, each beginning with file and line.

    All keys of `values` are texts, also those that YAML takes for something else; of these `problems` tell.
    """

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_config_text(path: Path) -> ConfigText:
    """Read one YAML file; a file that is missing or no YAML gives no values and a problem that says so."""
    path = _as_typed(path)
    text = ConfigText(str(path))
    if not path.is_file():
        text.problems.append(
            f"{path}: no such file; expected a config; run in the folder of the Snakefile, check the name"
        )
        return text
    try:
        source = path.read_text(encoding="utf-8")
        node, values = yaml.compose(source, yaml.SafeLoader), yaml.load(source, TextKeyLoader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: such as the date 2020-13-01
        text.problems.append(_damage(path, error))
        return text
    if not isinstance(values, dict):
        text.problems.append(f"{path}:1: holds no sections; expected lines such as 'train:' with values below")
        return text
    text.values = values
    text.problems += _walk(text, node, ())
    return text


def _as_typed(path: Path) -> Path:
    # Snakemake makes the names of --configfile absolute; people know them from the working folder.
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def dotted(key: Key) -> str:
    """The way to a value as people write it: "study.datasets[0]".

    >>> dotted(("study", "datasets", 0))
    'study.datasets[0]'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def _walk(text: ConfigText, node: yaml.Node, key: Key) -> Iterator[str]:
    text.lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        yield from _walk_mapping(text, node, key)
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            yield from _walk(text, item, (*key, place))
    elif node.style is None:  # neither quoted nor a block: YAML guesses its kind
        yield from _scalar_problems(text.file, node, key)


def _walk_mapping(text: ConfigText, node: yaml.MappingNode, key: Key) -> Iterator[str]:
    seen: dict[str, int] = {}
    for name, value in node.value:
        line, inner = name.start_mark.line + 1, (*key, name.value)
        if name.value in seen:
            yield (
                f"{text.file}:{line}: {dotted(inner)}: stands twice, first in line {seen[name.value]}; "
                "expected once; YAML would take the last; remove one"
            )
        kind = KEY_KINDS.get(name.tag.rpartition(":")[2])
        if kind:
            where = f"{text.file}:{line}: {dotted(inner)}"
            yield f"{where}: this key is {kind} to YAML; expected a text; write '{name.value}' in quotes"
        seen.setdefault(name.value, line)
        text.lines[inner] = line
        yield from _walk(text, value, inner)


def _scalar_problems(file: str, node: yaml.ScalarNode, key: Key) -> Iterator[str]:
    where = f"{file}:{node.start_mark.line + 1}: {dotted(key)}: {node.value}"
    number = EXPONENT.fullmatch(node.value)
    if number and node.tag.endswith(":str"):
        yield f"{where} is text to YAML; expected a number; write {_plain_number(number)}"
    elif node.value.lower() in DOUBTFUL and node.tag.endswith(":bool"):
        meant = DOUBTFUL[node.value.lower()]
        yield f"{where} is {meant} to YAML; expected {meant} or a quoted word; write {meant} or '{node.value}'"
    elif node.tag.endswith(":timestamp"):
        yield f"{where} is a date to YAML; expected a text; write '{node.value}' in quotes"


def _plain_number(match: re.Match) -> str:
    power = int(match["power"])
    return f"{match['sign']}{match['whole']}.{match['rest'] or '0'}e{'+' if power >= 0 else '-'}{abs(power)}"


def _damage(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark else ""
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{path}{line}: is not YAML ({reason}); expected 'key: value' lines indented by spaces; mend this line"
