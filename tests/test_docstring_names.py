"""Docstrings name modules where they are: what moves takes the words about it along."""

import ast
import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
LIBRARY = REPOSITORY / "scripts" / "histoloom"
SETTINGS = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))["evaluate"]
NAME = re.compile(r"(?<![\w./])(?:histoloom\.)?(evaluate(?:\.\w+)+)")


def docstrings(code: str) -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(code)) if isinstance(node, documented)]


def is_there(name: str) -> bool:
    """Whether a dotted name leads to a file of the library, to something in one, or to a setting of `evaluate`."""
    place, *rest = name.split(".")
    if rest[0] in SETTINGS:
        return True
    path = LIBRARY / place
    while rest and path.is_dir():
        path /= rest.pop(0)
    if path.is_dir():
        return True
    file = path.with_suffix(".py")
    return file.is_file() and all(re.search(rf"\b{word}\b", file.read_text(encoding="utf-8")) for word in rest)


def test_names_of_modules_in_docstrings_are_there():
    texts = {path: docstrings(path.read_text(encoding="utf-8")) for path in (REPOSITORY / "scripts").rglob("*.py")}
    named = [(str(path), name) for path, found in texts.items() for text in found for name in NAME.findall(text)]
    assert named
    assert [(path, name) for path, name in named if not is_there(name)] == []


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("evaluate.counting", True),
        ("evaluate.counting.facts", True),
        ("evaluate.counting.facts.FACTS", True),
        ("evaluate.bootstrap", True),  # a setting
        ("evaluate.facts", False),
        ("evaluate.facts.FACTS", False),
        ("evaluate.counting.facts.NO_SUCH", False),
    ],
)
def test_what_counts_as_there(name, there):
    assert is_there(name) is there
