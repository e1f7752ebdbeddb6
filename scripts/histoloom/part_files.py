"""Temporary files and folders beside the place they are written for; those of killed writers are removed.

Each is locked while its writer lives: the system unlocks it however that ends. Only parts of this host's writers are
removed, since between hosts a lock may not be seen.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from histoloom import forked

# Not the name itself, which may be long, or be one that no file may have.
HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
PREFIX = f".part-{HOST}-"

_searched: set[Path] = set()  # folders without parts of killed writers, since it has looked


@contextmanager
def new_part(path: Path, *, is_folder: bool) -> Iterator[Path]:
    """Give an empty temporary file or folder beside `path`, and remove it at the end if it is still there.

    The name of a file keeps the suffix, since image libraries choose the format by it.
    """
    if path.parent not in _searched:
        remove_abandoned(path.parent)
        _searched.add(path.parent)
    part, descriptor = _made(path, is_folder=is_folder)
    forked.held.add(descriptor)
    try:
        yield part
    finally:
        _remove(part)
        if descriptor in forked.held:
            forked.held.discard(descriptor)
            os.close(descriptor)


def remove_abandoned(folder: Path) -> None:
    """Remove the parts in `folder` whose writers, on this host, were killed."""
    for part in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):  # gone meanwhile, held by its writer, or not ours to remove
            descriptor = _opened(part)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(part)
            finally:
                os.close(descriptor)


def _made(path: Path, *, is_folder: bool) -> tuple[Path, int]:
    while True:
        if is_folder:
            part = Path(tempfile.mkdtemp(dir=path.parent, prefix=PREFIX))
        else:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=PREFIX, suffix=path.suffix)
            os.close(handle)
            part = Path(name)
        # Another writer may have taken it for abandoned before it was locked.
        with suppress(FileNotFoundError):
            descriptor = _opened(part)
            with suppress(OSError):  # where files cannot be locked, nobody else can remove it either
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if part.exists():
                return part, descriptor
            os.close(descriptor)


def _opened(part: Path) -> int:
    return os.open(part, os.O_NOFOLLOW | (os.O_RDONLY if part.is_dir() else os.O_RDWR))  # NFS locks what is writeable


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
