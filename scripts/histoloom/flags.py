"""Settings as words of a command line, which arguments.py reads back. Standard library only."""

import functools
from collections.abc import Mapping


def flags(values: Mapping[str, object]) -> list[str]:
    """Command-line words: --kebab-case names; booleans as true and false; an empty list or dict is left out.

    Sorted by name, keys of a dict too, so that other orders of lines in a config give the same words.

    >>> flags({"tile_px": 256, "flip": True, "metric": ["pq", "dice"], "option": {"b": 8, "a": 4}, "root": "a b"})
    ['--flip', 'true', '--metric', 'pq', 'dice', '--option', 'a=4', 'b=8', '--root', 'a b', '--tile-px', '256']
    """
    return _shared(*(word for name, value in sorted(values.items()) for word in _flag(_kebab(name), value)))


@functools.cache  # one list for all folds, which a plan of many jobs keeps to its end; nobody may change it
def _shared(*words: str) -> list[str]:
    return list(words)


def _kebab(name: str) -> str:
    return "--" + name.replace("_", "-")


def _flag(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [name, "true" if value else "false"]
    if isinstance(value, Mapping):  # written as Python literals, which arguments.pair reads back
        value = [f"{key}={item!r}" for key, item in sorted(value.items())]
    if isinstance(value, list):
        return [name, *map(str, value)] if value else []
    return [name, str(value)]
