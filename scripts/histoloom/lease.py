"""One run at a time in a folder of unfinished work, on one host or on several; a dead one's place is taken over."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from histoloom import forked, lease_file
from histoloom.errors import HeldError
from histoloom.lease_holder import Holder, holder_of, this_run

NOBODY = "its lease file does not say which"


@dataclass(frozen=True)
class Spans:
    """Seconds, all by this process's own monotonic clock: no clock that can be set decides anything."""

    wait: float = 10.0  # for a lock: a killed process with much memory needs some seconds to be gone
    poll: float = 0.2  # between two looks
    beat: float = 5.0  # between two signs of life
    watch: float = 90.0  # without a sign of life until a run on another host counts as dead; as long as NFS 4 waits
    settle: float = 5.0  # until of two hosts that take over at once the later one has written


SPANS = Spans()


class Lease:
    """This process's hold on a folder; `warning` tells of a run on another host whose place it took, else it is empty.

    A beat is one write of the file in place: the lock stays, since the file stays the same one, and so does its size.
    """

    def __init__(self, folder: Path, file: int, holder: Holder, warning: str) -> None:
        self.folder, self.warning = folder, warning
        self._path, self._file, self._holder = _path(folder), file, holder
        self._mutex, self._is_over = threading.Lock(), False
        forked.held.add(file)

    def check(self) -> None:
        """Raise HeldError if another run has taken the folder over: call it before anything is written there.

        That happens to a run that was paused, or cut off from the file system, for longer than others wait.
        """
        with self._mutex:
            found = lease_file.holder_at(self._path)
        if found is None or found.token != self._holder.token:
            raise HeldError(
                f"{self.folder}: taken over by another run ({found or NOBODY}) while this one, paused or cut off, gave "
                "no sign of life;\nexpected one at a time; this one ends and writes nothing more; leave the work to "
                "the other"
            )

    def beat(self) -> None:
        """Give a sign of life, if the lease is still this run's."""
        with self._mutex, suppress(OSError):  # a full or failing disk is told by what has to be written
            if not self._is_over and self._is_mine():
                self._holder = replace(self._holder, beat=self._holder.beat + 1)
                lease_file.write(self._file, self._holder)

    def beat_until_over(self, seconds: float) -> None:
        """Give signs of life; for a thread of its own."""
        while not self._is_over:
            time.sleep(seconds)  # monotonic, which waiting for an event is not with every C library
            self.beat()

    def release(self) -> None:
        """Give the folder back, and remove the lease file if it is still this run's."""
        if os.getpid() != self._holder.pid:
            return  # a child that was forked meanwhile holds nothing
        with self._mutex:
            self._is_over = True
            with suppress(OSError):
                if self._is_mine():
                    self._path.unlink()  # while it is locked: nobody else has taken it yet
            forked.held.discard(self._file)
            os.close(self._file)

    def _is_mine(self) -> bool:
        found = lease_file.holder_at(self._path)
        return found is not None and found.token == self._holder.token


@contextmanager
def leased(folder: Path, spans: Spans | None = None) -> Iterator[Lease]:
    """Be the only run that writes to `folder`; what becomes of the folder is the block's business.

    Beside it stands `<name>.lease`, which says who holds it, and is locked while that process lives. At the end the
    file goes, and the folder around it if nothing else is in it.

    On one host the lock is the truth: the system frees it however the process ends, and forked children close it at
    once, so after a kill the next run goes on. Between hosts a lock may be seen or not, by the file system and how it
    is mounted (NFS with local_lock, Lustre with localflock). So the holder beats: it counts in the file. A run that
    finds it unlocked, but of another host, watches it. If it beats, it is held. If it does not for `spans.watch`, it is
    taken over.

    Raises HeldError, naming the holder, where another run has it; InputError where the lease file cannot be written,
    and where the file system knows no locks. Source: flock(2) and nfs(5) of the Linux manual pages.
    """
    spans = spans or SPANS
    try:
        lease = _taken(folder, spans)
        try:
            threading.Thread(target=lease.beat_until_over, args=(spans.beat,), daemon=True).start()
            yield lease
        finally:
            lease.release()
    finally:
        with suppress(OSError):  # others have their work there
            folder.parent.rmdir()


class _Still:
    """For how long a value has been seen to stay the same."""

    def __init__(self) -> None:
        self._value, self._since = None, 0.0

    def seconds(self, value: object, began: float) -> float:
        """`began`: before the look at it. So a pause of this process between two looks does not count as stillness."""
        if value != self._value:
            self._value, self._since = value, time.monotonic()
        return began - self._since


def _taken(folder: Path, spans: Spans) -> Lease:
    mine, lock, line, last = this_run(), _Still(), _Still(), None
    while True:
        began = time.monotonic()
        file, is_locked = lease_file.opened_and_locked(_path(folder), mine)
        content = lease_file.read(file)
        found = holder_of(content)
        locked_for, unchanged_for = lock.seconds(is_locked, began), line.seconds(content, began)
        if is_locked and found and found.shares_a_kernel_with(mine):
            return _claimed(folder, file, mine)
        if is_locked and unchanged_for >= spans.watch:
            return _claimed_from_afar(folder, file, mine, found, spans)
        os.close(file)
        if _has_beaten(last, found) if is_locked else locked_for >= spans.wait:
            raise _held(folder, found)
        last = found
        time.sleep(spans.poll)


def _has_beaten(before: Holder | None, now: Holder | None) -> bool:
    return before is not None and now is not None and before.token == now.token and before.beat != now.beat


def _claimed(folder: Path, file: int, mine: Holder, warning: str = "") -> Lease:
    with lease_file.refused(_path(folder)):
        lease_file.write(file, mine)
    return Lease(folder, file, mine, warning)


def _claimed_from_afar(folder: Path, file: int, mine: Holder, dead: Holder | None, spans: Spans) -> Lease:
    warning = (
        f"{folder}: the run that held it ({dead or NOBODY}) has given no sign of life for {spans.watch:g} s and counts "
        "as dead; its place is taken over"
    )
    lease = _claimed(folder, file, mine, warning)
    time.sleep(spans.settle)  # a third host may not see the lock, and may have written just after us
    try:
        lease.check()
    except HeldError:
        lease.release()
        raise _held(folder, lease_file.holder_at(_path(folder))) from None
    return lease


def _held(folder: Path, holder: Holder | None) -> HeldError:
    cure = f"wait for it, or end it there ({holder.ending})" if holder else "wait for it, or end it"
    return HeldError(
        f"{folder}: another run is at work here ({holder or NOBODY}); expected one at a time;\n{cure}, and run again"
    )


def _path(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.lease"
