"""Strict parsers for command-line values, so that a flag means the same in every script."""

import argparse
import ast


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
