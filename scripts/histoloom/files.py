"""Files that are there whole or not at all: written beside their place, synced to disk, then renamed."""

import csv
import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from histoloom.errors import DENIED, PlaceError
from histoloom.part_files import new_part

FORMULA = ("=", "+", "-", "@")  # what begins a formula in Excel and LibreOffice
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota, and the largest file that is allowed
# NumPy tells without a number that not all of an array was written, and shutil of several files' errors in one.
FULL_IN_WORDS = re.compile(rf"\d+ requested and \d+ written|\[Errno ({'|'.join(map(str, FULL))})\]")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; at the end it is synced and takes that name.

    The temporary name keeps the suffix, since image libraries choose the format by it. When the block raises,
    the temporary file is removed and what stood at `path` stays. Raises PlaceError where there is no room for it, or
    where this user may not write.
    """
    with _part_beside(path, is_folder=False) as part:
        yield part
        part.chmod(0o666 & ~_umask())  # mkstemp gives 0600, which would lock colleagues out of shared results
        _sync(part)
        part.replace(path)
        _sync(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`; at the end it replaces what stood there, whole.

    Raises PlaceError where there is no room for it, or where this user may not write.
    """
    with _part_beside(path, is_folder=True) as part:
        yield part
        part.chmod(0o777 & ~_umask())
        with new_part(path, is_folder=True) as aside:
            if path.exists():
                path.replace(aside)  # whole: a kill while it is removed would leave some of its files
            part.replace(path)
        _sync(path.parent)


@contextmanager
def _part_beside(path: Path, *, is_folder: bool) -> Iterator[Path]:
    with ExitStack() as made:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = made.enter_context(new_part(path, is_folder=is_folder))
        except OSError as error:
            _tell_lack_of_room(path, error)
            _tell_lack_of_rights(path, error)
            raise
        try:
            yield part
        except OSError as error:
            _tell_lack_of_room(path, error)
            raise


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def digest_of(payload: bytes | bytearray | memoryview) -> str:
    """Hex SHA-256 of bytes in memory."""
    return hashlib.sha256(payload).hexdigest()


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tell_lack_of_room(path: Path, error: OSError) -> None:
    if error.errno in FULL or FULL_IN_WORDS.search(str(error)):
        raise PlaceError(
            f"no space left: {path} ({error.strerror or error}); expected room for it on this disk; free some and run "
            "again"
        ) from error


def _tell_lack_of_rights(path: Path, error: OSError) -> None:
    if error.errno in DENIED:
        raise PlaceError(
            f"{path}: cannot be written ({error.strerror}); expected a folder where this user may write; change its "
            "rights, or keep the results elsewhere"
        ) from error


def _umask() -> int:
    # The umask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object] | Mapping[str, object]]) -> None:
    """Write a CSV with header, '\\n' line ends and None as an empty cell, atomically; rows are sequences or dicts.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, see `inert`.
    """
    with atomic_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            cells = [row[column] for column in columns] if isinstance(row, Mapping) else row
            writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in cells])


def inert(text: str) -> str:
    """A text as a cell that no spreadsheet takes for a formula: an apostrophe before = + - @ and before blanks of them.

    Numbers stay as they are. Source: OWASP, "CSV Injection".

    >>> inert("=1+1"), inert("-0.5"), inert("tumour")
    ("'=1+1", '-0.5', 'tumour')
    """
    if not text.lstrip().startswith(FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
