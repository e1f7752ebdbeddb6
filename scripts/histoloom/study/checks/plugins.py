"""Checks of a config where it names a plug-in and sets its options."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.study.plugin_source import option_complaint
from histoloom.study.text import Key

Problem = tuple[Key, str]


@dataclass(frozen=True)
class Plugin:
    """A plug-in and the word that the config has for its kind, such as reader, network or schedule."""

    kind: str
    name: str
    role: str


def unknown_plugin(key: Key, kind: str, name: str) -> Iterator[Problem]:
    """A problem where `name` is no plug-in of its kind."""
    choices = plugins.names(kind)
    if name not in choices:
        yield key, f"'{name}' is no file in scripts/histoloom/{kind}; {likely(name, choices)}"


def option_problems(plugin: Plugin, key: Key, options_key: Key, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of the options at `options_key` that are given to the plug-in named at `key`."""
    try:
        known = plugins.options(plugin.kind, plugin.name)
    except (InputError, SyntaxError) as error:  # a plug-in in the making
        yield key, f"'{plugin.name}' cannot be read ({error}); expected a plug-in; mend its file"
        return
    for option, value in given.items():
        if option not in known:
            choices = likely(str(option), list(known)) if known else "it has none; remove it"
            yield (*options_key, option), f"unknown option of {plugin.role} {plugin.name}; {choices}"
        elif wrong := option_complaint(plugin.kind, plugin.name, option, value):
            yield (*options_key, option), wrong


def lacking_options(plugin: Plugin, key: Key, given: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem for each option without default that is not given."""
    try:
        known = plugins.options(plugin.kind, plugin.name)
    except (InputError, SyntaxError):
        return  # told by option_problems
    for option, default in known.items():
        if not default and option not in given:
            yield key, f"lacks the option '{option}' of {plugin.role} {plugin.name}; expected a value; add it"


def likely(word: str, choices: list[str]) -> str:
    """ "did you mean 'unet'? choices: ..." within a sentence."""
    return plugins.suggestion(word, choices).replace("Choices", "choices")
