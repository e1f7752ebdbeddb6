"""Files that are there whole or not at all: written beside their place, synced to disk, then renamed."""

import csv
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from histoloom.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota, and the largest file that is allowed


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; at the end it is synced and takes that name.

    The temporary name keeps the suffix, since image libraries choose the format by it. When the block raises,
    the temporary file is removed and what stood at `path` stays. Raises InputError where there is no room for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o666 & ~_umask())  # mkstemp gives 0600, which would lock colleagues out of shared results
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    except BaseException as error:
        part.unlink(missing_ok=True)
        _tell_lack_of_room(path, error)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`; at the end it replaces what stood there, whole.

    Raises InputError where there is no room for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=".part-"))
    try:
        yield part
        part.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)
        _sync(path.parent)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
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


def _tell_lack_of_room(path: Path, error: BaseException) -> None:
    if isinstance(error, OSError) and error.errno in FULL:
        raise InputError(
            f"no space left: {path} ({error.strerror}); expected room for it on this disk; free some and run again"
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
    """Write a CSV with header, '\\n' line ends and None as an empty cell, atomically; rows are sequences or dicts."""
    with atomic_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([row[column] for column in columns] if isinstance(row, Mapping) else row)
