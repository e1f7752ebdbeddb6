"""One writer at a time in a folder of unfinished work: a second one is refused, a dead one's place is taken over."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from histoloom.errors import InputError


@contextmanager
def leased(folder: Path) -> Iterator[None]:
    """Be the only process that writes to `folder`; what becomes of it is the block's business.

    Beside the folder stands `<name>.lease` with the writer's host and process id, locked while that process lives. The
    system unlocks it however the process ends, so after a kill the next one takes over. At the end of the block the
    file goes, and the folder around it if nothing else is in it.
    Raises InputError where another process holds the lease, and where the file system knows no locks.

    It holds for all processes of a host. On NFS Linux hands the lock to the server, so that it holds for all hosts of a
    mount; it does not where a mount keeps locks to itself (nolock or local_lock=flock, and localflock on Lustre): there
    nobody but the workflow's own lock keeps two hosts apart. A host that crashes keeps its locks until the server
    has seen it restart (NFS 3) or its lease there has run out (NFS 4, 90 s).
    Source: flock(2) and nfs(5) of the Linux manual pages.
    """
    path = folder.parent / f"{folder.name}.lease"
    try:
        with _locked(path, folder) as file:
            file.truncate(0)
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
            file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)  # while it is locked: nobody else has taken it yet
    finally:
        with suppress(OSError):  # others have their work there
            folder.parent.rmdir()


def _locked(path: Path, folder: Path) -> IO[str]:
    # Whoever held it before may have removed it between our opening and locking it: then it is no longer the lease.
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        except (FileExistsError, FileNotFoundError):
            if os.path.lexists(path.parent) and not path.parent.is_dir():
                raise
            continue  # one that ended has removed the folder just now
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            with file:
                raise _refusal(file, folder, error) from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def _refusal(file: IO[str], folder: Path, error: OSError) -> InputError:
    if not isinstance(error, BlockingIOError):
        return InputError(
            f"{folder}: its file system cannot lock files ({error.strerror}); expected one that can, since two writers "
            "would damage each other's work;\nmount it with locks (flock on Lustre), or keep the results elsewhere"
        )
    file.seek(0)
    host, _, process = file.read().strip().partition(" ")
    return InputError(
        f"{folder}: written by process {process or 'unknown'} on host {host or 'unknown'}; expected one writer at a "
        "time;\nwait until that one has ended, or end it there, and run again"
    )
