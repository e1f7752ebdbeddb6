"""Digests of raw files and slides: by them a rule reruns, not by time stamps, so that copying reruns nothing.

Standard library only: the Snakefile imports this at every parse.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from histoloom.errors import InputError
from histoloom.files import write_json


def raw_digest(folder: Path, cache: Path) -> str:
    """12 hex digits of the names, sizes and content of all files below `folder`; hidden files do not count.

    Files are read whole. Their digests are remembered in the JSON file `cache`, and a file is read again only when its
    size or time of change differs.
    Raises InputError for a link that leads nowhere, or back to a folder that it lies in, and for what is no plain file.
    """
    known = json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {}
    files = {file.relative_to(folder).as_posix(): file for file in _visible_files(folder)}
    rows = {name: _content_row(file, known.get(name)) for name, file in sorted(files.items())}
    if rows != known:
        write_json(cache, rows)
    content = [(name, size, digest) for name, (size, _, digest) in rows.items()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def file_digest(file: Path, cache: Path) -> str:
    """12 hex digits of the content of one file, remembered in the JSON file `cache` as above."""
    known = json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {}
    row = _content_row(file, known.get(str(file)))
    if row != known.get(str(file)):
        write_json(cache, known | {str(file): row})
    return row[2][:12]


def _visible_files(folder: Path, around: frozenset[Path] = frozenset()) -> Iterable[Path]:
    around |= {folder.resolve()}
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if path.is_symlink() and path.resolve() in around:
                raise InputError(f"{path}: a link back to a folder that it lies in; expected files; remove the link")
            yield from _visible_files(path, around)
        elif path.is_file():
            yield path
        elif path.exists():
            raise InputError(f"{path}: a pipe, socket or device; expected a plain file; remove it")
        else:
            raise InputError(
                f"{path}: a link that leads nowhere; expected a file; lay the file there or remove the link"
            )


def _content_row(file: Path, known: list | None) -> list:
    stat = file.stat()
    if known and known[:2] == [stat.st_size, stat.st_mtime_ns]:
        return known
    return [stat.st_size, stat.st_mtime_ns, _content_digest(file)]


def _content_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
