"""A folder has one writer at a time, whoever comes second or after a kill."""

import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from histoloom.errors import InputError
from histoloom.slides.prediction.lease import leased
from tests.slides.slide_case import ROOT

HOLD = """
import sys
from pathlib import Path
from histoloom.slides.prediction.lease import leased
with leased(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
# Each run notes that it is in, and that nobody else is; a lease that is taken is asked for again.
COUNT = """
import os, sys, time
from pathlib import Path
from histoloom.errors import InputError
from histoloom.slides.prediction.lease import leased
folder, runs = Path(sys.argv[1]), 0
while runs < 15:
    try:
        with leased(folder):
            mark = os.open(folder.parent.parent / "inside", os.O_CREAT | os.O_EXCL)
            os.close(mark)
            os.unlink(folder.parent.parent / "inside")
            runs += 1
    except InputError:
        time.sleep(0.001)
"""


def started(code, folder):
    command = [sys.executable, "-c", code, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT / "scripts")}, **pipes)


@contextmanager
def held(folder):
    """Another process that holds the lease of a folder."""
    process = started(HOLD, folder)
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.communicate()


def test_a_second_writer_is_refused_and_told_who_the_first_one_is(tmp_path):
    folder = tmp_path / "state" / "a"
    with held(folder) as process:
        writer = f"{folder}: written by process {process.pid} on host {socket.gethostname()}; expected one"
        with pytest.raises(InputError, match=writer) as caught, leased(folder):
            pass
        assert "wait until that one has ended, or end it there" in str(caught.value)
        with leased(tmp_path / "state" / "b"):  # other work
            pass
    assert process.returncode == 0
    with leased(folder):
        pass


def test_the_lease_of_a_killed_writer_is_taken_over(tmp_path):
    folder = tmp_path / "state" / "a"
    with held(folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert [path.name for path in folder.parent.iterdir()] == ["a.lease"]
        with leased(folder):
            pass
    assert not folder.parent.exists()


def test_the_folder_around_stays_where_there_is_other_work(tmp_path):
    folder = tmp_path / "state" / "a"
    with leased(folder):
        folder.mkdir()
    assert [path.name for path in tmp_path.rglob("*")] == ["state", "a"]


def test_never_two_are_in_and_all_get_in(tmp_path):
    # The file is removed and made again all the time, so that one may lock what another has just removed.
    processes = [started(COUNT, tmp_path / "state" / "a") for _ in range(3)]
    for process in processes:
        process.communicate(timeout=300)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def unsupported(file, kind):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("histoloom.slides.prediction.lease.fcntl.flock", unsupported)
    refusal = pytest.raises(InputError, match=r"a: its file system cannot lock files \(Operation not supported\)")
    with refusal, leased(tmp_path / "state" / "a"):
        pass
