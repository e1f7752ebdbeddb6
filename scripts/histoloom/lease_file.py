"""The file of a lease: made, locked, read and written so that no other run, on whatever host, sees half of it."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from histoloom.errors import InputError
from histoloom.files import FULL
from histoloom.lease_holder import LENGTH, Holder, holder_of

FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK  # neither a link to a file of others nor a pipe that waits
GONE = (errno.ENOENT, errno.ESTALE)  # the second: NFS, of an open file that another host removed
RACES = 1000  # that one can lose in a row to runs that end and take the folder around with them


def opened_and_locked(path: Path, mine: Holder) -> tuple[int, bool]:
    """The lease file, made with `mine` in it where there was none, and whether this process has locked it now.

    Raises InputError where it cannot be written, and where the file system knows no locks.
    """
    for _ in range(RACES):
        with refused(path):
            file = _opened(path, mine)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return file, False
        except OSError as error:
            os.close(file)
            if error.errno in GONE:
                continue
            raise InputError(
                f"{path}: its file system cannot lock files ({error.strerror}); expected one that can, since two runs "
                "would damage each other's work;\nmount it with locks (flock on Lustre), or keep the results elsewhere"
            ) from error
        # Whoever held it may have removed it between our opening and locking it: then it is no longer the lease.
        with unless_gone():
            if os.path.samestat(os.fstat(file), path.lstat()):
                return file, True
        os.close(file)
    raise InputError(
        f"{path}: the file of this name is never the one that was opened; expected a file system that keeps files "
        "apart by number (inode);\nkeep the results elsewhere"
    )


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Raise InputError where the system refuses what the block does with the lease file."""
    try:
        yield
    except OSError as error:
        cure = "free some room" if error.errno in FULL else "make it so, or keep the results elsewhere"
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); expected a lease file that this user may write, and "
            f"room for it;\n{cure}, and run again"
        ) from error


@contextmanager
def unless_gone() -> Iterator[None]:
    """End the block where the file is no longer there: removed by another run, here or on another host."""
    try:
        yield
    except OSError as error:
        if error.errno not in GONE:
            raise


def read(file: int) -> bytes:
    """All that we look at; nothing where the file was removed meanwhile."""
    with unless_gone():
        return os.pread(file, LENGTH, 0)
    return b""


def write(file: int, holder: Holder) -> None:
    """Write in place: a file of another name that is moved there would be one that nobody has locked."""
    os.pwrite(file, holder.line(), 0)
    if os.fstat(file).st_size != LENGTH:  # of somebody else's making
        os.ftruncate(file, LENGTH)
    os.fsync(file)  # other hosts see what the server has


def holder_at(path: Path) -> Holder | None:
    """Who holds the lease now, by its file; None where there is none or it does not say."""
    with unless_gone():
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # anew: only then does NFS ask what other hosts have written
        try:
            return holder_of(read(file))
        finally:
            os.close(file)
    return None


def _opened(path: Path, mine: Holder) -> int:
    for _ in range(RACES - 1):
        with suppress(FileNotFoundError, FileExistsError):
            return _opened_once(path, mine)
    return _opened_once(path, mine)


def _opened_once(path: Path, mine: Holder) -> int:
    with suppress(FileNotFoundError):
        return os.open(path, FLAGS)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        write(file, mine)  # before it is locked: an empty file would be anybody's
    except OSError:
        path.unlink(missing_ok=True)
        os.close(file)
        raise
    return file
