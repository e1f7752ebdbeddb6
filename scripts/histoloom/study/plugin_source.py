"""What the source of a plug-in says of its parameters: the kind of an option's value, and what it is given to read.

Nothing is imported, so that the Snakefile loads neither torch nor numpy.
"""

import ast
import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from histoloom import plugins

# The annotations that are checked, and the kind of value that the config needs for each.
KINDS = {
    "int": "a whole number",
    "float": "a finite number",
    "str": "a text",
    "bool": "true or false",
    "None": "null",
    "Sequence": "a list such as [a, b]",
}
FITS: Mapping[str, Callable[[Any], bool]] = {
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) is int or (type(value) is float and math.isfinite(value)),
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "None": lambda value: value is None,
    "Sequence": lambda value: isinstance(value, list),
}
OF_DEFAULT = {int: "float", float: "float", str: "str", bool: "bool", tuple: "Sequence", list: "Sequence"}


def option_complaint(kind: str, name: str, option: str, value: Any) -> str:
    """What is wrong with a plug-in's option being `value`, with expectation and cure; "" where it fits.

    The kind is the parameter's annotation (such as `int | float` or `Sequence[str]`), or else that of its default.
    Where neither says one, any text, number, boolean, null, or list of these will do.
    """
    wanted = _wanted(kind, name, option)
    if any(_fits(value, each) for each in wanted) if wanted else is_plain(value):
        return ""
    expected = " or ".join(_words(each) for each in wanted) or "a text, a finite number, true, false, or a list of them"
    cure = f"write '{value}'" if "str" in wanted and not isinstance(value, list | dict) else "give one"
    return f"{value!r}; expected {expected}; {cure}"


def reads(kind: str, name: str) -> str:
    """What a plug-in looks at: the name of its first parameter; "" where it has none.

    A metric reads "confusion" or "pairs", a loss "logits" or "maps".
    """
    parameters = _positional(kind, name)
    return parameters[0].arg if parameters else ""


def needs(kind: str, name: str, parameter: str) -> bool:
    """Whether a plug-in has a positional parameter of that name whose annotation does not allow None."""
    found = next((each for each in _positional(kind, name) if each.arg == parameter), None)
    if found is None or found.annotation is None:
        return False
    return "None" not in ast.unparse(found.annotation).split(" | ")


def states(kind: str, name: str, constant: str) -> bool:
    """Whether the file of a plug-in sets a constant such as LOWER_IS_BETTER to True."""
    tree = _tree(plugins.path(kind, name))
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    return any(ast.unparse(node) == f"{constant} = True" for node in assigned)


def _wanted(kind: str, name: str, option: str) -> list[str]:
    arguments = _function(kind, name).args
    annotation = next((each.annotation for each in arguments.kwonlyargs if each.arg == option), None)
    stated = ast.unparse(annotation).split(" | ") if annotation else []
    if stated and all(_outer(each) in FITS for each in stated):
        return stated
    try:
        default = ast.literal_eval(plugins.options(kind, name)[option] or "None")
    except ValueError:  # no literal, such as the name of a constant
        return []
    return [OF_DEFAULT[type(default)]] if type(default) in OF_DEFAULT else []


def _fits(value: Any, annotation: str) -> bool:
    if not FITS[_outer(annotation)](value):
        return False
    if not isinstance(value, list):
        return True
    inner = _inner(annotation)
    return all(_fits(item, inner) if _outer(inner) in FITS else is_plain(item) for item in value)


def _outer(annotation: str) -> str:
    return annotation.partition("[")[0]


def _inner(annotation: str) -> str:
    return annotation.partition("[")[2].removesuffix("]")


def _words(annotation: str) -> str:
    inner = {"int": " of whole numbers", "float": " of finite numbers", "str": " of texts"}.get(_inner(annotation), "")
    return KINDS[_outer(annotation)] + inner


def is_plain(value: Any) -> bool:
    """Whether a value survives the way through a command line (see `flags`)."""
    if isinstance(value, list):
        return all(map(is_plain, value))
    return any(FITS[kind](value) for kind in ("float", "str", "bool", "None"))


def _positional(kind: str, name: str) -> list[ast.arg]:
    arguments = _function(kind, name).args
    return [*arguments.posonlyargs, *arguments.args]


def _function(kind: str, name: str) -> ast.FunctionDef:
    plugins.options(kind, name)  # refuses a file without its function
    tree = _tree(plugins.path(kind, name))
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)


@functools.cache  # asked for every pair of dataset and architecture, and for every job
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))
