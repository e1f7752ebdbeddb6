"""What a rule's command hangs on: the fingerprint of its code (flags.py has its flags, raw_data.py what it reads).

Snakemake reruns a rule when its params change. So params carry these and nothing else, and nothing reruns that does not
hang on the change. Standard library only: the Snakefile imports this at every parse.
"""

import ast
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from histoloom import plugins

SCRIPTS = Path(__file__).parents[2]


@functools.cache
def fingerprint(*files: Path, root: Path = SCRIPTS) -> str:
    """12 hex digits that change when the code of `files`, or of a project module that they import, does.

    Hashed are the syntax trees without docstrings; so comments, layout, time stamps and the place of the folder do
    not count. Imports are followed wherever they stand in a file; only modules below `root` count.
    """
    waiting, found = [root / file for file in files], {}
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file], imports = _read_module(file, root)
            waiting += imports
    rows = sorted((file.relative_to(root).as_posix(), code) for file, code in found.items())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


@functools.cache
def code_with_plugins(script: str, *used: tuple[str, str]) -> str:
    """Fingerprint of a script and of the plug-ins, (kind, name), that its flags make it load."""
    files = [plugins.path(kind, name).relative_to(SCRIPTS) for kind, name in used]
    return fingerprint(Path(f"{script}.py"), *files)


@functools.cache
def _read_module(file: Path, root: Path) -> tuple[str, tuple[Path, ...]]:
    tree = ast.parse(file.read_bytes())
    names = dict.fromkeys(_imported_names(tree))
    imports = tuple(dict.fromkeys(found for name in names for found in _module_files(name, root)))
    return hashlib.sha256(_code(tree).encode()).hexdigest(), imports


def _code(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _is_docstring(body):
            node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _is_docstring(body: list[ast.stmt]) -> bool:
    first = body[0].value if body and isinstance(body[0], ast.Expr) else None
    return isinstance(first, ast.Constant) and isinstance(first.value, str)


def _imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from a import b` may mean the module a.b as well as a name in a.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def _module_files(name: str, root: Path) -> tuple[Path, ...]:
    package, _, last = name.rpartition(".")
    folder = root.joinpath(*package.split("."))
    above = _module_files(package, root) if package else ()
    return above + tuple(file for file in (folder / f"{last}.py", folder / last / "__init__.py") if file.is_file())
