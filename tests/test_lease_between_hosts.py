"""A run finds out whether one on another host, whose locks it does not see, lives; one that lost its lease stops."""

import json
import os
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from histoloom import lease as lease_module
from histoloom.errors import HeldError
from histoloom.lease import Lease, Spans, leased
from tests.lease_case import PATIENT, QUICK, SECONDS, hosts, locks_are_not_shared, on_host


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "ab12"


@pytest.fixture
def far(monkeypatch):
    locks_are_not_shared(monkeypatch)


def lease_of(folder):
    return folder.with_name("ab12.lease")


def left_by_a_dead_host(folder):
    """What a run on host `far` leaves that ends without a last word."""
    with on_host("far"), leased(folder, QUICK):
        line = lease_of(folder).read_bytes()
    folder.parent.mkdir()
    lease_of(folder).write_bytes(line)
    return json.loads(line)


def test_a_run_on_another_host_that_beats_is_not_disturbed(folder, far):
    with on_host("far"), leased(folder, QUICK) as lease:
        with on_host("near"), pytest.raises(HeldError, match="host far, process"), leased(folder, PATIENT):
            pass
        lease.check()


@contextmanager
def no_trustworthy_clock(monkeypatch):
    """Each look at the clock on the wall finds it years later, or earlier."""
    jumps = iter([1e9, -1e9] * 100000)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 1.7e9 + next(jumps))
        yield


def test_clocks_that_jump_change_nothing(folder, far, monkeypatch):
    with no_trustworthy_clock(monkeypatch):
        with on_host("far"), leased(folder, QUICK), on_host("near"), pytest.raises(HeldError), leased(folder, PATIENT):
            pass
        left_by_a_dead_host(folder)
        os.utime(lease_of(folder), (4e9, 4e9))
        began = time.monotonic()
        with on_host("near"), leased(folder, QUICK) as lease:
            assert "counts as dead" in lease.warning
        assert time.monotonic() - began > QUICK.watch


def test_a_dead_run_on_another_host_is_replaced_and_that_is_said(folder, far):
    dead = left_by_a_dead_host(folder)
    with on_host("near"), leased(folder, QUICK) as lease:
        assert lease.warning == (
            f"{folder}: the run that held it (user {dead['user']}, host far, process {os.getpid()}, job {dead['job']}, "
            f"since {dead['since']}) has given no sign of life for 0.5 s and counts as dead; its place is taken over"
        )
        lease.check()
        assert json.loads(lease_of(folder).read_bytes())["host"] == "near"


def test_a_pause_of_the_newcomer_is_no_silence_of_the_holder(folder, far, monkeypatch):
    left_by_a_dead_host(folder)
    seen = []

    def read_after_a_pause(file):
        if not seen:
            time.sleep(QUICK.watch + 0.1)
        seen.append(time.monotonic())
        return os.pread(file, 2048, 0)

    monkeypatch.setattr("histoloom.lease_file.read", read_after_a_pause)
    with on_host("near"), leased(folder, QUICK):
        assert time.monotonic() - seen[0] > QUICK.watch


def test_a_paused_run_whose_place_was_taken_writes_no_more(folder, far):
    with on_host("far"), leased(folder, Spans(beat=60.0)) as paused:  # so it seems to others
        paused.check()
        with on_host("near"), leased(folder, QUICK) as other:
            with pytest.raises(
                HeldError, match=r"(?s)taken over by another run \(user .*, host near, .*writes nothing more"
            ):
                paused.check()
            paused.beat()
            other.check()  # a late beat does not take it back
        assert not lease_of(folder).exists()
        with pytest.raises(HeldError, match="its lease file does not say which"):
            paused.check()


def test_a_run_that_lost_its_lease_leaves_the_others_in_place(folder, far):
    with ExitStack() as later:
        with on_host("far"), leased(folder, Spans(beat=60.0)), on_host("near"):
            lease = later.enter_context(leased(folder, QUICK))
        lease.check()


def test_of_two_hosts_that_take_over_at_once_one_wins(folder, far, monkeypatch):
    left_by_a_dead_host(folder)
    said, both_watched, both_done = [], threading.Barrier(2), threading.Barrier(2)
    claimed, spans = lease_module._claimed, replace(QUICK, settle=3.0)  # for both to have written on a busy machine

    def claimed_at_once(*arguments):
        both_watched.wait(SECONDS)
        time.sleep(0.05 if hosts.name == "near" else 0)
        return claimed(*arguments)

    def take(name):
        with on_host(name), ExitStack() as held:
            try:
                taken = held.enter_context(leased(folder, spans))
            except HeldError as error:
                taken = error
            said.append(type(taken))
            both_done.wait(SECONDS)
            if isinstance(taken, Lease):
                taken.check()

    monkeypatch.setattr(lease_module, "_claimed", claimed_at_once)
    threads = [threading.Thread(target=take, args=(name,)) for name in ("near", "nearer")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.__name__ for each in said) == ["HeldError", "Lease"]


@pytest.mark.parametrize("content", [b"", b"{", b"node3 4711\n", b"[" * 3000, b"\xff" * 9000, b'{"user": 3}'])
def test_a_damaged_lease_is_watched_and_then_replaced(folder, content):
    folder.parent.mkdir()
    lease_of(folder).write_bytes(content)
    began = time.monotonic()
    with leased(folder, QUICK) as lease:
        assert time.monotonic() - began > QUICK.watch
        assert "(its lease file does not say which) has given no sign of life" in lease.warning
        lease.check()
        assert len(lease_of(folder).read_bytes()) == 2048


def test_what_others_wrote_into_a_lease_cannot_speak_to_the_terminal(folder, far):
    values = left_by_a_dead_host(folder) | {"user": "eve\x1b[2J\r" + "a" * 500}
    lease_of(folder).write_text(json.dumps(values))
    with on_host("near"), leased(folder, QUICK) as lease:
        assert "user eve[2Jaaa" in lease.warning
        assert len(lease.warning) < 500
