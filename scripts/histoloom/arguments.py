"""Strict parsers for command-line values, so that a flag means the same in every script."""

import argparse
import ast
from dataclasses import MISSING, field, fields
from typing import Any


def boolean(text: str) -> bool:
    """'true' or 'false', nothing else: argparse's own bool("false") is True."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text == "true"


def pair(text: str) -> tuple[str, object]:
    """'key=value' with the value read as a Python literal where it is one, else as text."""
    key, found, value = text.partition("=")
    if not found or not key:
        raise argparse.ArgumentTypeError(f"'{text}' is not key=value")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def setting(sentence: str, default: Any = MISSING) -> Any:
    """A dataclass field whose help is `sentence`.

    Its value comes from the config, so there is no default here; but for one that no section of the config sets.
    """
    return field(default=default, metadata={"help": sentence})


def add_flags(parser: argparse.ArgumentParser, settings: type) -> None:
    """Give `parser` a flag for each field of a dataclass of settings, required where the field has no default."""
    for each in fields(settings):
        flag = "--" + each.name.replace("_", "-")
        if each.type is dict:  # words key=value; an empty dict gives no flag
            parser.add_argument(flag, nargs="*", type=pair, default=[], help=each.metadata["help"])
        else:
            kind = boolean if each.type is bool else each.type
            choice = {"required": True} if each.default is MISSING else {"default": each.default}
            parser.add_argument(flag, type=kind, help=each.metadata["help"], **choice)


def settings_among(arguments: argparse.Namespace, settings: type) -> Any:
    """The dataclass of settings whose fields are among parsed arguments."""
    values = {each.name: getattr(arguments, each.name) for each in fields(settings)}
    return settings(**{each.name: each.type(values[each.name]) for each in fields(settings)})
