"""Checks of the optimiser that a config names: its own options, what each may be, and which go together."""

from collections.abc import Iterator, Mapping
from typing import Any

from histoloom.study.checks.plugins import Problem, likely
from histoloom.study.plugin_source import is_plain
from histoloom.study.schema_words import Validator, explained
from histoloom.study.text import Key

FLAG = {"type": "boolean"}
NUMBER = {"type": "number"}
FROM_ZERO = {"type": "number", "minimum": 0}
EVERY = {"foreach": FLAG, "maximize": FLAG, "differentiable": FLAG, "fused": FLAG}
ADAM = {
    "betas": {"type": "array", "items": {"type": "number", "minimum": 0, "exclusiveMaximum": 1}},
    "eps": FROM_ZERO,
    "amsgrad": FLAG,
    "capturable": FLAG,
    **EVERY,
}
# What those known by name take, so that a plan can tell of it without torch. Others are only known where they train.
OPTIMISERS: Mapping[str, Mapping[str, Any]] = {
    "adam": {**ADAM, "decoupled_weight_decay": FLAG},
    "adamw": ADAM,
    "sgd": {"momentum": FROM_ZERO, "dampening": NUMBER, "nesterov": FLAG, **EVERY},
}
OWN_SETTINGS = {"lr": "learning_rate", "weight_decay": "weight_decay"}


def optimiser_problems(key: Key, options_key: Key, name: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of the optimiser named at `key`, and of its options at `options_key`."""
    if name not in OPTIMISERS and "." not in name:
        yield key, f"'{name}'; expected an import path or a known name; {likely(name, list(OPTIMISERS))}"
    found = [*_option_problems(name, options)]
    yield from (((*options_key, *place), message) for place, message in found or _pair_problems(options))


def _option_problems(name: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    known = OPTIMISERS.get(name)
    for option, value in options.items():
        if option in OWN_SETTINGS:
            yield (option,), f"is a setting of its own; expected it as train.{OWN_SETTINGS[option]}; move it there"
        elif known is not None and option not in known:
            yield (option,), f"unknown option of optimiser {name}; {likely(str(option), list(known))}"
        elif known is not None:
            found = (each for error in Validator(known[option]).iter_errors(value) for each in explained(error))
            yield from (((option, *place), message) for place, message in found)
        elif not is_plain(value):
            message = f"{value!r}; expected a text, a finite number, true, false, or a list of them; give one"
            yield (option,), message


def _pair_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Of options that are sound each by itself."""
    betas = options.get("betas", [0.9, 0.999])
    if isinstance(betas, list) and len(betas) != 2:
        yield ("betas",), f"{betas}; expected two numbers, such as [0.9, 0.999]; mend the list"
    if options.get("nesterov") and (not options.get("momentum", 0) or options.get("dampening", 0)):
        momentum, dampening = options.get("momentum", 0), options.get("dampening", 0)
        given = f"true, with momentum {momentum} and dampening {dampening}"
        yield ("nesterov",), f"{given}; expected momentum above 0 and dampening 0; mend them"
    for other in ("foreach", "differentiable"):
        if options.get("fused") and options.get(other):
            yield ("fused",), f"true, with {other}: true; expected one of both; remove one"
