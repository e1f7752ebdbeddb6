"""Leases held by other processes, and by hosts whose locks are not seen here."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from histoloom import lease_file, lease_holder
from histoloom.lease import Spans

SECONDS = 120  # after which a process that should have ended has failed
ROOT = Path(__file__).parents[1]
QUICK = Spans(wait=0.3, poll=0.02, beat=0.05, watch=0.5, settle=0.2)
# For holders that live: on a busy machine a thread may get no time for a second, and would count as dead.
PATIENT = replace(QUICK, watch=5.0)
HOLD = """
import sys
from pathlib import Path
from histoloom.lease import leased
with leased(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
hosts = threading.local()  # each thread of a test may be a host of its own


@contextmanager
def started(code, folder, **environment):
    """A process that runs the code; it is killed at the end where it has not ended by itself."""
    command = [sys.executable, "-c", code, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {"PYTHONPATH": str(ROOT / "scripts"), **environment}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def held(folder, **environment):
    """Another process on this host that holds the lease of a folder."""
    with started(HOLD, folder, **environment) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate(timeout=SECONDS)


def locks_are_not_shared(monkeypatch):
    """Make threads with a `hosts.name` of their own into hosts, none of which sees another's locks."""
    monkeypatch.setattr(lease_file.fcntl, "flock", lambda file, kind: None)
    monkeypatch.setattr(lease_holder, "this_host", lambda: (getattr(hosts, "name", "here"), "boot"))


@contextmanager
def on_host(name):
    """What this thread does happens on that host."""
    before, hosts.name = getattr(hosts, "name", "here"), name
    try:
        yield
    finally:
        hosts.name = before
