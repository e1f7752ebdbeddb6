"""The folder is the registry: a plug-in is a file, and its one public function bears the file's name.

Standard library only, and nothing is imported to list choices or options: the Snakefile asks here at every parse.
"""

import ast
import difflib
import functools
import importlib
from collections.abc import Callable
from pathlib import Path

from histoloom.errors import InputError

LIBRARY = Path(__file__).parent


def names(kind: str) -> list[str]:
    """The choices of one kind ("datasets", "architectures", "losses", "metrics", "baselines"), sorted."""
    return list(_stems(LIBRARY / kind))


def path(kind: str, name: str) -> Path:
    """The file of a plug-in; a misspelt name is answered with the choices."""
    if name not in names(kind):
        raise InputError(f"unknown {kind} '{name}'; {suggestion(name, names(kind))}")
    return LIBRARY / kind / f"{name}.py"


def load(kind: str, name: str) -> Callable:
    """Import a plug-in's file and return its public function."""
    path(kind, name)
    return getattr(importlib.import_module(f"histoloom.{kind}.{name}"), name)


@functools.cache
def options(kind: str, name: str) -> dict[str, str]:
    """Keyword-only parameters of a plug-in's function with their defaults as source text, read without importing."""
    tree = ast.parse(path(kind, name).read_text(encoding="utf-8"))
    found = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)
    if found is None:
        raise InputError(f"{path(kind, name)}: no function named '{name}'; a plug-in's function bears its file's name")
    pairs = zip(found.args.kwonlyargs, found.args.kw_defaults, strict=True)
    return {argument.arg: ast.unparse(default) if default else "" for argument, default in pairs}


def suggestion(word: str, choices: list[str]) -> str:
    """ "did you mean 'unet'? Choices: ..." for an unknown word."""
    close = difflib.get_close_matches(word, choices, n=1)
    guess = f"did you mean '{close[0]}'? " if close else ""
    return f"{guess}Choices: {', '.join(choices)}"


@functools.cache  # a study asks for every pair of dataset and architecture, and for every job
def _stems(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("[!_]*.py")))
