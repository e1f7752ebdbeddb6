"""Faults that strike a run at a random moment, each a function of the trial; what has to be true afterwards is checked.

A trial is one piece of work, which faults interrupt and a plain start finishes.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.disks import without_rights
from tests.faults.fault_cases import Work
from tests.faults.forked_runs import ForkServer, Run

GO_ON, HELD, DIED = 75, 3, -signal.SIGKILL
DAY = 86400.0


class ViolationError(Exception):
    """Something that was promised did not hold."""


@dataclass
class Trial:
    """A piece of work, what it comes to undisturbed, and how long that takes."""

    server: ForkServer
    work: Work
    expected: dict[str, str]
    seconds: float
    draw: random.Random
    runs: list[Run] = field(default_factory=list)

    def start(self, **options) -> Run:
        """Start the work."""
        self.runs.append(self.server.start(self.work.words, **options))
        return self.runs[-1]

    def moment(self) -> None:
        """Wait for some time within an undisturbed run."""
        time.sleep(self.draw.uniform(0, 0.8 * self.seconds))

    def ended(self, run: Run, *statuses: int) -> int:
        """Its status, which has to be 0 or one of `statuses`, with nothing half done to be seen and nobody left."""
        status = run.wait()
        self.demand(status in (0, *statuses), f"ended with status {status}: {run.said()[-2000:]}")
        self.demand(status < 0 or "Traceback" not in run.said(), run.said()[-2000:])
        left = [*run.left_running(), *running_on(self.work.folder)]
        self.demand(not left, f"processes live on: {left}")
        self.demand(not self.work.is_partial(self.expected), f"half done: {self.work.result()}")
        return status

    def finish(self) -> None:
        """Start the work plainly: it has to end in the expected bytes and leave nothing else."""
        status = self.ended(self.start())
        self.demand(status == 0, f"a plain start ended with {status}")
        self.demand(self.work.result() == self.expected, "not the bytes of the undisturbed run")
        self.demand(not self.work.litter(), f"left: {self.work.litter()}")

    def demand(self, is_true: bool, otherwise: str) -> None:
        """Raise ViolationError with the words `otherwise` where it is not true."""
        if not is_true:
            raise ViolationError(otherwise)


def running_on(folder: Path, seconds: float = 10) -> list[str]:
    """Processes that live on, of those whose command lines name the folder; ranks have sessions of their own."""
    deadline = time.monotonic() + seconds
    while (found := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [str(process) for process in found]


def processes_of(folder: Path) -> list[psutil.Process]:
    """The processes whose command lines name the folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if any(str(folder) in word for word in process.cmdline()):
                found.append(process)
    return found


def killed(trial: Trial) -> None:
    """SIGKILL of the process alone, whose children have to notice."""
    run = trial.start()
    trial.moment()
    run.send(signal.SIGKILL)
    trial.ended(run, DIED)


def all_killed(trial: Trial) -> None:
    """SIGKILL of the process and its children at once."""
    run = trial.start()
    trial.moment()
    run.send(signal.SIGKILL, to_group=True)
    trial.ended(run, DIED)


def asked_by_sigterm(trial: Trial) -> None:
    """SIGTERM to the process and its children."""
    _asked(trial, signal.SIGTERM)


def asked_by_sigusr1(trial: Trial) -> None:
    """SIGUSR1 to the process alone."""
    _asked(trial, signal.SIGUSR1)


def _asked(trial: Trial, number: signal.Signals) -> None:
    run = trial.start()
    trial.moment()
    run.send(number, to_group=number == signal.SIGTERM)
    # Before it listens, and in stages that have nothing to save, the signal ends it.
    trial.ended(run, GO_ON, -number, 128 + number)


def paused(trial: Trial) -> None:
    """SIGSTOP and, later, SIGCONT."""
    run = trial.start()
    trial.moment()
    run.send(signal.SIGSTOP, to_group=True)
    time.sleep(trial.draw.uniform(0, 1))
    run.send(signal.SIGCONT, to_group=True)
    trial.demand(trial.ended(run) == 0, "a pause ended it")


def no_room(trial: Trial) -> None:
    """Files may not be larger than so many bytes, as on a full disk."""
    trial.ended(trial.start(room=trial.draw.randrange(2500, 20_000)), 1)


def no_rights(trial: Trial) -> None:
    """Nothing may be written into the folder of the work."""
    with without_rights(trial.work.folder, 0o555):
        trial.ended(trial.start(rights=False), 1)


def no_temporary_folder(trial: Trial) -> None:
    """$TMPDIR is not there."""
    run = trial.start(environment={"TMPDIR": str(trial.work.folder / "nowhere")})
    trial.demand(trial.ended(run) == 0, "a missing $TMPDIR ended it")


def jumping_clock(trial: Trial) -> None:
    """The wall clock jumps by a year, there and back."""
    run = trial.start(clock=trial.draw.choice((-1, 1)) * 400 * DAY)
    trial.demand(trial.ended(run) == 0, "a clock that jumps ended it")


def other_times(trial: Trial) -> None:
    """Killed, then all files get other times."""
    killed(trial)
    for path in trial.work.folder.rglob("*"):
        with suppress(FileNotFoundError):
            os.utime(path, (0, trial.draw.uniform(0, 40_000) * DAY))


def damaged_checkpoint(trial: Trial) -> None:
    """Killed, then the newest checkpoint is cut short or a bit of it turned."""
    killed(trial)
    for path in sorted(trial.work.folder.glob("state/*/checkpoint-*"))[-1:]:
        content = bytearray(path.read_bytes())
        if trial.draw.random() < 0.5:
            del content[trial.draw.randrange(len(content)) :]
        else:
            content[trial.draw.randrange(len(content))] ^= 1 << trial.draw.randrange(8)
        path.write_bytes(content)


def second_run(trial: Trial) -> None:
    """A second one is started beside it."""
    first = trial.start()
    trial.moment()
    second = trial.start()
    first.wait()
    second.wait()
    for run in (first, second):
        trial.demand(trial.ended(run, HELD) in (0, HELD), "two at once")


def moved(trial: Trial) -> None:
    """Killed, and the state copied, as by somebody who copies the project."""
    killed(trial)
    state = trial.work.folder / "state"
    if state.exists():
        shutil.copytree(state, trial.work.folder / "copied")
        shutil.rmtree(state)
        shutil.move(trial.work.folder / "copied", state)


def rank_killed(trial: Trial) -> None:
    """SIGKILL of one of the ranks of a job."""
    _struck(trial, lambda run: [each for each in processes_of(trial.work.folder) if each.ppid() == run.pid][-1:])


def agent_killed(trial: Trial) -> None:
    """SIGKILL of the agent of a job."""
    _struck(trial, lambda run: [psutil.Process(run.pid)])


def job_killed(trial: Trial) -> None:
    """SIGKILL of everything of a job."""
    _struck(trial, lambda run: [psutil.Process(run.pid), *processes_of(trial.work.folder)])


def job_asked(trial: Trial) -> None:
    """SIGTERM to the agent of a job."""
    run = trial.start()
    trial.moment()
    run.send(signal.SIGTERM)
    # A rank that is not yet listening dies of it, and the agent tells of an error.
    trial.ended(run, GO_ON, 1, -signal.SIGTERM)


def _struck(trial: Trial, whom: Callable[[Run], list[psutil.Process]]) -> None:
    run = trial.start()
    trial.moment()
    with suppress(psutil.NoSuchProcess):
        for process in [] if run.has_ended() else whom(run):
            process.kill()
    trial.ended(run, DIED, 1, GO_ON)


ON_ANY = (
    killed, all_killed, asked_by_sigterm, asked_by_sigusr1, paused, no_room, no_rights, no_temporary_folder,
    jumping_clock, other_times,
)  # fmt: skip
ON_TRAINING = (damaged_checkpoint, second_run, moved)
ON_JOBS = (rank_killed, agent_killed, job_killed, job_asked)
