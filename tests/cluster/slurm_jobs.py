"""Slurm jobs of a tiny training: submitted, watched, and found among the processes of this machine."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.train.training_case import TrainingCase

SLURM = Path(os.environ.get("HISTOLOOM_SLURM", "/var/tmp/histoloom-slurm"))
OVER = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "PREEMPTED", "NODE_FAIL")
POSITION = re.compile(r"checkpoint-(\d{6})-(\d{8})-")


@dataclass
class SlowJob:
    """A tiny training in a Slurm job: which case, run from which working copy, on how many nodes, how slowly."""

    case: TrainingCase
    copy: Path
    nodes: int = 1
    step_seconds: float = 0.0
    options: tuple[str, ...] = ()  # of sbatch
    number: str = ""

    def command(self, starter: str) -> list[str]:
        launcher = ["scripts/launch_training.py", "--nodes", str(self.nodes), "--processes", "1", "--cores", "1"]
        script = ["tests/cluster/slow_training.py", *self.case.flags()]
        return [sys.executable, *launcher, "--starter", starter, *script]

    def environment(self) -> dict[str, str]:
        paths = f"{self.copy / 'scripts'}:{self.copy}"
        return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "STEP_SECONDS": str(self.step_seconds)}

    def submit(self) -> None:
        """Hand the job to Slurm, as the workflow does again after each end that was not a success."""
        script = f"#!/bin/sh\nexec {shlex.join(self.command('srun'))}\n"
        flags = ["--parsable", "--account=lab", "--partition=gpu", "--gres=gpu:1", f"--nodes={self.nodes}"]
        flags += ["--ntasks-per-node=1", "--mem=1000", "--open-mode=append", f"--output={self.log}", *self.options]
        self.number = told(["sbatch", *flags], input=script, cwd=self.copy, env=self.environment()).strip()

    def train_here(self) -> subprocess.CompletedProcess:
        """Train on this machine, without Slurm."""
        return subprocess.run(
            self.command("none"), cwd=self.copy, env=self.environment(), capture_output=True, text=True
        )

    @property
    def log(self) -> Path:
        return self.case.folder / "slurm.log"

    def fact(self, name: str) -> str:
        """What Slurm says of the job: JobState, ExitCode, Restarts, NodeList."""
        return re.search(rf"\b{name}=(\S*)", told(["scontrol", "show", "job", self.number, "--oneliner"]))[1]

    def wait_for(self, what: str, is_so: Callable[[], bool], seconds: float = 600) -> None:
        """Return when it is so; an error that names `what` when it is not in time."""
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {self.number}: {what}: not within {seconds:.0f} s; its words: {self.words}")
            time.sleep(0.2)

    def wait_until_over(self) -> str:
        """The state in which the job ended; a requeued one has not ended."""
        self.wait_for("its end", lambda: self.fact("JobState") in OVER)
        return self.fact("JobState")

    def wait_within_second_epoch(self) -> None:
        """Return when an epoch is saved and a step or so of the next one is done."""
        self.wait_for("the second epoch", lambda: self.position >= (2, 0))
        time.sleep(1.5 * self.step_seconds)

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and step of the newest checkpoint."""
        found = [POSITION.match(path.name) for path in self.case.folder.glob("state/*/checkpoint-*.pt")]
        return max(((int(each[1]), int(each[2])) for each in found), default=(0, 0))

    @property
    def words(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


def told(command: list[str], **options) -> str:
    """What a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr}")
    return done.stdout


def processes_of_node(node: str) -> list[int]:
    """slurmd and slurmstepd of a node, which have its log open, and all that they started, which bears its name."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = {str(each.readlink()) for each in (process / "fd").iterdir()}
            surroundings = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        if str(SLURM / f"log/slurmd.{node}.log") in files or f"SLURMD_NODENAME={node}".encode() in surroundings:
            found.append(int(process.name))
    return found


def up_again(node: str) -> None:
    """Start slurmd of a node, and wait until Slurm takes it for alive."""
    told(["slurmd", "-N", node])
    for _ in range(150):
        state = told(["sinfo", "--noheader", "--nodes", node, "--partition=gpu", "--format=%T"]).strip()
        if state in ("idle", "mixed", "allocated"):
            return
        time.sleep(0.2)
    raise TimeoutError(f"{node} did not come back: {state}")
