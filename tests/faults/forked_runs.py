"""The tests' side of fork_server.py: scripts started in a fraction of a second, watched, and searched for later."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
START_SECONDS = 600  # to import everything, on a machine that has much else to do
SECONDS = 120  # after which a run that should have ended has failed


@dataclass
class Run:
    """A script that was started."""

    server: "ForkServer"
    pid: int
    log: Path

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit status, -9 after SIGKILL; raises TimeoutError where it does not end."""
        return self.server.status_of(self.pid, seconds)

    def has_ended(self, seconds: float = 0) -> bool:
        """Whether it ends within `seconds`."""
        try:
            self.wait(seconds)
        except TimeoutError:
            return False
        return True

    def send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        """Send a signal to the process, or to all that it has started as well; nothing where it has ended."""
        if not self.has_ended():
            with suppress(ProcessLookupError):  # it has ended by itself meanwhile
                (os.killpg if to_group else os.kill)(self.pid, number)

    def said(self) -> str:
        """All that it and its children have printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def left_running(self, seconds: float = 10) -> list[str]:
        """Command lines of processes of its session that live on after `seconds`, of which they need not all be."""
        deadline = time.monotonic() + seconds
        while (found := self._of_session()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def _of_session(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid}: {' '.join(process.cmdline())}")
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
        return found


@dataclass
class ForkServer:
    """A process that has imported what `scripts` import, and forks runs of them."""

    scripts: tuple[str, ...]
    folder: Path  # for logs
    _process: subprocess.Popen = field(init=False)
    _statuses: dict[int, int] = field(init=False, default_factory=dict)
    _runs: int = field(init=False, default=0)

    def __enter__(self) -> "ForkServer":
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'scripts'}"}
        command = [sys.executable, "tests/faults/fork_server.py", *self.scripts]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, bufsize=0)
        assert "ready" in self._answer(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, words: list[str], environment: dict | None = None, ahead: str = "", **limits: float) -> Run:
        """Start a script by the words of its command line; `ahead` is a file that is run first, in its process.

        limits: `room` (bytes of the largest file), `memory` (bytes more than now), `clock` (seconds by which the wall
        clock jumps), `rights` (False: modes bind root too).
        """
        self._runs += 1
        log = self.folder / f"log-{self._runs}"
        log.touch()  # a run may be killed before it opens it
        request = {"words": [str(word) for word in words], "log": str(log), "environment": environment or {}}
        self._process.stdin.write(json.dumps({**request, "ahead": ahead, "limits": limits}).encode() + b"\n")
        while "status" in (said := self._answer(SECONDS)):
            self._statuses[said["pid"]] = said["status"]
        return Run(self, said["pid"], log)

    def run(self, words: list[str], environment: dict | None = None, ahead: str = "", **limits: float) -> tuple:
        """Start a script and wait for its end: exit status, and what it printed."""
        started = self.start(words, environment, ahead, **limits)
        return started.wait(), started.said()

    def status_of(self, pid: int, seconds: float) -> int:
        """The status of a run that ends within `seconds`; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while pid not in self._statuses:
            said = self._answer(max(deadline - time.monotonic(), 0))
            self._statuses[said["pid"]] = said["status"]
        return self._statuses[pid]

    def _answer(self, seconds: float) -> dict:
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            raise TimeoutError
        line = self._process.stdout.readline()
        if not line:
            raise EOFError("the fork server has ended")
        return json.loads(line)
