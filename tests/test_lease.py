"""A folder has one run at a time, whoever comes second or after a kill."""

import errno
import fcntl
import os
import re
import signal
import socket
import time
from contextlib import ExitStack

import psutil
import pytest

from histoloom.errors import HeldError, InputError
from histoloom.lease import Spans, leased
from histoloom.lease_holder import holder_of, this_run
from tests.lease_case import QUICK, SECONDS, held, started

# Each run notes that it is in, and that nobody else is; a lease that is taken is asked for again.
COUNT = """
import os, signal, sys, time
from pathlib import Path
from histoloom.errors import InputError
from histoloom.lease import Spans, leased
signal.alarm(120)  # nobody is left asking for ever
folder, runs = Path(sys.argv[1]), 0
while runs < 15:
    try:
        with leased(folder, Spans(wait=0.0, poll=0.001)):
            mark = os.open(folder.parent.parent / "inside", os.O_CREAT | os.O_EXCL)
            os.close(mark)
            os.unlink(folder.parent.parent / "inside")
            runs += 1
    except InputError:
        time.sleep(0.001)
"""
FORK = """
import os, sys, time
from pathlib import Path
from histoloom.lease import leased
with leased(Path(sys.argv[1])):
    if os.fork() == 0:
        print("held", flush=True)
        time.sleep(60)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "ab12"


def lease_of(folder):
    return folder.with_name("ab12.lease")


def test_a_second_run_is_refused_and_told_all_about_the_first(folder):
    with held(folder, SLURM_JOB_ID="8812", SLURM_RESTART_COUNT="2", USER="anna", LOGNAME="anna") as process:
        with pytest.raises(HeldError) as caught, leased(folder, QUICK):
            pass
        assert re.fullmatch(
            rf"{folder}: another run is at work here \(user anna, host {socket.gethostname()}, process {process.pid}, "
            r"job 8812 restart 2, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\); expected one at a time;\n"
            r"wait for it, or end it there \(scancel 8812\), and run again",
            str(caught.value),
        )
        assert caught.value.status == 3
        with leased(folder.with_name("b")):  # other work
            pass
    assert process.returncode == 0
    with leased(folder, QUICK):
        pass


def test_a_run_without_slurm_is_ended_by_its_number(folder):
    ending = rf"job none, since .*\n.*\(kill {os.getpid()}\)"
    with leased(folder, QUICK), pytest.raises(HeldError, match=ending), leased(folder, QUICK):
        pass


def test_the_lease_of_a_killed_run_is_taken_over_at_once(folder):
    with held(folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert [path.name for path in folder.parent.iterdir()] == ["ab12.lease"]
        with leased(folder, Spans(wait=0.0, poll=3600.0)) as lease:  # an hour until the second look
            assert lease.warning == ""
    assert not folder.parent.exists()


def test_a_child_of_a_killed_run_does_not_hold_its_lease(folder):
    with started(FORK, folder) as process:
        process.stdout.readline()
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        try:
            with leased(folder, QUICK):
                assert child.is_running()
        finally:
            child.kill()


def test_the_folder_around_stays_where_there_is_other_work(folder):
    with leased(folder):
        folder.mkdir()
    assert [path.name for path in folder.parent.parent.rglob("*")] == ["state", "ab12"]


def test_never_two_are_in_and_all_get_in(tmp_path):
    # The file is removed and made again all the time, so that one may lock what another has just removed.
    with ExitStack() as running:
        processes = [running.enter_context(started(COUNT, tmp_path / "state" / "a")) for _ in range(3)]
        for process in processes:
            process.communicate(timeout=SECONDS)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_removed_before_it_was_locked_is_no_lease(folder, monkeypatch):
    flock, removals = fcntl.flock, iter([lease_of(folder).unlink])

    def lock_too_late(file, kind):
        next(removals, lambda: None)()
        flock(file, kind)

    monkeypatch.setattr(fcntl, "flock", lock_too_late)
    with leased(folder, QUICK) as lease:
        lease.check()


@pytest.mark.parametrize("call", ["flock", "fstat", "pread"])
def test_a_file_that_another_host_removed_is_no_lease(call, folder, monkeypatch):
    module = fcntl if call == "flock" else os
    real, failures = getattr(module, call), iter([OSError(errno.ESTALE, "Stale file handle")])

    def stale_once(*arguments):
        for failure in failures:
            raise failure
        return real(*arguments)

    lease_of(folder).parent.mkdir(parents=True, exist_ok=True)
    lease_of(folder).write_bytes(this_run().line())  # of a run here that was killed
    monkeypatch.setattr(module, call, stale_once)
    with leased(folder, QUICK) as lease:
        lease.check()
    assert not list(failures)


def test_the_file_stays_one_of_the_same_length_and_can_be_read_at_any_time(folder):
    lengths, beats = set(), [0]
    with leased(folder, QUICK):
        inode = lease_of(folder).stat().st_ino
        deadline = time.monotonic() + SECONDS
        while beats[-1] < 5 and time.monotonic() < deadline:
            line = lease_of(folder).read_bytes()
            lengths.add(len(line))
            beats.append(holder_of(line).beat)
        assert lease_of(folder).stat().st_ino == inode
    assert lengths == {2048}
    assert beats == sorted(beats)
    assert beats[-1] >= 5


def test_a_full_disk_while_beating_ends_nothing(folder, monkeypatch):
    with leased(folder, QUICK) as lease:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            time.sleep(0.2)
        before, deadline = holder_of(lease_of(folder).read_bytes()).beat, time.monotonic() + SECONDS
        while (beat := holder_of(lease_of(folder).read_bytes()).beat) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert beat > before
        lease.check()


def test_a_full_disk_at_the_start_is_told_and_leaves_no_file(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(InputError, match=r"ab12.lease: cannot be written \(No space left.*\n.*free some room"):
            leased(folder, QUICK).__enter__()
    assert not folder.parent.exists()


@pytest.mark.parametrize("place", ["a file", "nowhere", "a link", "a folder"])
def test_a_lease_that_cannot_be_made_is_told(folder, place, tmp_path):
    if place == "a file":
        folder.parent.write_text("")
    elif place == "nowhere":
        folder.parent.symlink_to(tmp_path / "disk that is not mounted")
    else:
        folder.parent.mkdir()
        (tmp_path / "other").write_text("precious")
        lease_of(folder).mkdir() if place == "a folder" else lease_of(folder).symlink_to(tmp_path / "other")
    refusal = pytest.raises(InputError, match=r"ab12.lease: cannot be written \((Not a|File e|Too many|Is a)")
    with refusal, leased(folder, QUICK):
        pass
    if place == "a link":
        assert (tmp_path / "other").read_text() == "precious"


def test_a_read_only_folder_is_told(folder, monkeypatch):
    def read_only(path, flags, *mode):
        raise OSError(30, "Read-only file system") if flags & os.O_CREAT else FileNotFoundError

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(InputError, match=r"cannot be written \(Read-only file system\)"), leased(folder, QUICK):
        pass


def test_a_file_system_without_locks_is_named(folder, monkeypatch):
    def unsupported(file, kind):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("histoloom.lease_file.fcntl.flock", unsupported)
    refusal = pytest.raises(InputError, match=r"ab12.lease: its file system cannot lock files \(Operation not supp")
    with refusal, leased(folder, QUICK):
        pass
