"""The file in which all trials of a study are kept: one line for each step, appended under a lock, mended after a kill.

A killed writer, or a full disk, may leave a last line without its end. The next writer would append to it, and no one
could read the file again: so each drops such a line before it writes. What it said is then not said, and is done again.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from histoloom.errors import DENIED, HeldError, InputError, PlaceError
from histoloom.files import FULL

GRACE_SECONDS = 30  # for which a lock of a killed holder is waited for


class Journal(JournalFileBackend):
    """Optuna's file of steps whose unfinished last line is dropped before anything is appended.

    The lock is a file that only one can make, which holds between hosts on NFS 3 and newer; Optuna's other one, a
    symbolic link, is never freed after a kill where the path is relative.
    """

    def __init__(self, path: Path, grace_seconds: int = GRACE_SECONDS) -> None:
        self._path = path
        self._gate = JournalFileOpenLock(str(path), grace_seconds)
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            super().__init__(str(path), self._gate)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines, or nothing: raises PlaceError where there is no room for them."""
        lines = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs)
        with _told(self._path), held(self._gate), self._path.open("r+b", buffering=0) as file:
            end = drop_unfinished(file.fileno())
            try:
                _write(file.fileno(), lines.encode(), end)
            except OSError:
                os.ftruncate(file.fileno(), end)
                raise

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """All steps from a number on; raises InputError where a line within the file is damaged."""
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise InputError(
                f"{self._path}: damaged ({error}); expected a step of the study in each line;\nrestore the file, or "
                f"remove the folder {self._path.parent} to seek anew"
            ) from error


def opened(path: Path, grace_seconds: int = GRACE_SECONDS) -> JournalStorage:
    """The storage in the file `path`, which is made where there is none; raises InputError where it is damaged."""
    journal = Journal(path, grace_seconds)
    journal.append_logs([])  # drops a last line that a killed writer left unfinished
    return JournalStorage(journal)


def drop_unfinished(file: int) -> int:
    """Cut an open file after its last line end; its length then, in bytes."""
    length = end = os.fstat(file).st_size
    while end and os.pread(file, 1, end - 1) != b"\n":
        end -= 1
    if end != length:
        os.ftruncate(file, end)
    return end


@contextmanager
def held(lock: JournalFileOpenLock) -> Iterator[None]:
    """Hold a lock; raises HeldError where another took it meanwhile, since this process stood still for so long."""
    lock.acquire()
    try:
        yield
    finally:
        try:
            lock.release()
        except RuntimeError as error:
            raise HeldError(
                "the study's lock was taken by another worker, since this one stood still for longer than "
                f"{GRACE_SECONDS} s; expected one writer at a time; run again"
            ) from error


def _write(file: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(file, content, at)
        content, at = content[written:], at + written
    os.fsync(file)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise PlaceError(
                f"no space left: {path} ({error.strerror}); expected room for it on this disk; free some and run again"
            ) from error
        if error.errno in DENIED:
            raise PlaceError(
                f"{path}: cannot be written ({error.strerror}); expected a folder where this user may write; change "
                "its rights, or keep the results elsewhere"
            ) from error
        raise
