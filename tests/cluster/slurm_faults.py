"""Trainings under Slurm that are disturbed: by scancel, time limit, preemption, node loss, a second trainer.

Each is a tiny training that ends, after as many starts as it takes, in the bytes of one that nobody disturbed.
"""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path

from tests.cluster.killed_master import killed_master
from tests.cluster.slurm_jobs import SlowJob, processes_of_node, told, up_again
from tests.cluster.working_copies import lay
from tests.train.training_case import TrainingCase, make_case

NEVER = 1e9  # minutes between checkpoints: what is saved within an epoch was saved since it was asked for
AT_ONCE = 3  # jobs that only wait for their time limit


class Faults:
    """Where the trainings lie, and what each has to give: the result of an undisturbed one on as many nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.copy = folder, lay(folder / "tree")
        self.wanted = {nodes: self.undisturbed(nodes) for nodes in (1, 2)}

    def undisturbed(self, nodes: int) -> dict[str, bytes]:
        """Train on this machine, without Slurm: two nodes are two processes."""
        job = SlowJob(make_case(self.folder / f"undisturbed_{nodes}", checkpoint_minutes=NEVER), self.copy, nodes)
        done = job.train_here()
        if done.returncode:
            raise RuntimeError(f"the undisturbed training on {nodes} nodes failed: {done.stderr}")
        return job.case.result()

    def job(self, name: str, nodes: int, checkpoint_minutes: float = NEVER, **options) -> SlowJob:
        """A training of its own, submitted."""
        case: TrainingCase = make_case(self.folder / f"{name}_{nodes}", checkpoint_minutes=checkpoint_minutes)
        job = SlowJob(case, self.copy, nodes, **options)
        job.submit()
        return job

    def row(self, fault: str, how: str, job: SlowJob, happened: str) -> dict[str, str]:
        """A line of the table; the training has ended."""
        result = job.case.result()
        unlike = [name for name in self.wanted[job.nodes] if result.get(name) != self.wanted[job.nodes][name]]
        return {
            "fault": f"{fault}, {job.nodes} node{'s' * (job.nodes > 1)}",
            "how": how,
            "happened": happened,
            "model": sha256(result["model"]).hexdigest()[:12],
            "equal": f"DIFFERENT: {', '.join(unlike)}" if unlike else "equal",
        }

    def cancelled(self, nodes: int) -> dict[str, str]:
        job = self.job("cancelled", nodes, step_seconds=1.5)
        job.wait_within_second_epoch()
        told(["scancel", job.number])
        happened = self.started_again(job)
        return self.row("scancel", "in the second epoch", job, happened)

    def time_limit(self, nodes: int) -> dict[str, str]:
        job = self.job("time_limit", nodes, step_seconds=8, options=("--time=1",))
        return self.row("time limit", "--time=1", job, self.started_again(job))

    def warned(self, nodes: int) -> dict[str, str]:
        # Slurm sends the signal up to a minute earlier than it is asked to.
        flags = ("--time=2", "--signal=USR1@30")
        job = self.job("warned", nodes, step_seconds=10, options=flags)
        return self.row("warning before the time limit", " ".join(flags), job, self.started_again(job))

    def preempted(self, nodes: int) -> dict[str, str]:
        job = self.job("preempted", nodes, step_seconds=1.5, options=("--requeue",))
        job.wait_within_second_epoch()
        take_all_nodes()
        return self.row("preemption with requeue", "job in partition urgent", job, self.requeued(job))

    def preempted_in_grace(self, nodes: int) -> dict[str, str]:
        job = self.job("preempted_in_grace", nodes, step_seconds=1.5, options=("--partition=cpu", "--requeue"))
        job.wait_within_second_epoch()
        take_all_nodes()
        return self.row("preemption, GraceTime=30", "job in partition urgent", job, self.started_again(job))

    def node_lost(self, nodes: int) -> dict[str, str]:
        job = self.job("node_lost", nodes, checkpoint_minutes=0, step_seconds=1.5, options=("--requeue",))
        job.wait_within_second_epoch()
        for process in processes_of_node("node2"):
            os.kill(process, signal.SIGKILL)
        job.wait_for("that its node is down", lambda: node_is_down("node2") or not runs(job))
        job.wait_for("that it is told so", lambda: not runs(job))
        up_again("node2")
        how = "SIGKILL of slurmd, slurmstepd and ranks of node2"
        return self.row("node loss", how, job, self.requeued(job))

    def two_trainers(self, nodes: int) -> dict[str, str]:
        job = self.job("two_trainers", nodes, step_seconds=8)  # the second one first waits for the lease, and imports
        job.wait_within_second_epoch()
        second = SlowJob(job.case, self.copy, nodes).train_here()
        is_told = second.returncode == 3 and f"job {job.number}" in second.stderr
        told_what = (
            f"ended with {second.returncode}, told of job {job.number}" if is_told else f"said {second.stderr!r}"
        )
        happened = f"second one {told_what}; first one {job.wait_until_over()}"
        row = self.row("second trainer by hand", "while the job trains", job, happened)
        return row if is_told else row | {"equal": "DIFFERENT: the second one was not told"}

    def started_again(self, job: SlowJob) -> str:
        """Wait for the end and submit again until it is a success, as the workflow does; what happened."""
        told_ends = []
        while (state := job.wait_until_over()) != "COMPLETED":
            self.refuse_fourth(told_ends, job)
            told_ends.append(f"{state} with {job.fact('ExitCode')} at epoch {job.position[0]} step {job.position[1]}")
            job.step_seconds = 0
            job.options += ("--time=30",)  # a retry of the workflow has more time, too
            job.submit()
        return "; ".join([*told_ends, "started again: COMPLETED"]) if told_ends else "NEVER DISTURBED"

    def requeued(self, job: SlowJob) -> str:
        """Wait until Slurm itself has run the job again."""
        saved = job.position
        state = job.wait_until_over()
        if state != "COMPLETED":
            return f"not requeued by Slurm; {self.started_again(job)}"
        restarts = job.fact("Restarts")
        if restarts == "0":
            return "NEVER DISTURBED"
        return f"stopped at epoch {saved[0]} step {saved[1]} or later; requeued {restarts} time by Slurm: {state}"

    def refuse_fourth(self, ends: list[str], job: SlowJob) -> None:
        if len(ends) == 3:
            raise RuntimeError(f"job {job.number} failed again and again: {ends}; its words: {job.words}")


def all_faults(folder: Path) -> Iterator[dict[str, str]]:
    """Disturb one training after the other; a row of each: fault, how, happened, model, equal."""
    faults = Faults(folder / "faults")
    waiting = [partial(kind, nodes) for kind in (faults.time_limit, faults.warned) for nodes in (1, 2)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(row_of, waiting)
    alone = [partial(kind, nodes) for kind in (faults.cancelled, faults.preempted) for nodes in (1, 2)]
    alone += [partial(faults.preempted_in_grace, 1), partial(faults.node_lost, 2), partial(faults.two_trainers, 1)]
    yield from map(row_of, [*alone, partial(killed_master, faults.folder)])


def row_of(fault: partial) -> dict[str, str]:
    """The row of a fault, also where it did not come so far."""
    try:
        return fault()
    except (RuntimeError, TimeoutError, OSError) as error:
        name = " ".join(str(word) for word in (fault.func.__name__, *fault.args))
        return {"fault": name, "how": "", "happened": str(error), "model": "", "equal": "FAILED"}


def take_all_nodes() -> None:
    """Run a job of the urgent partition on both nodes, for some seconds."""
    flags = ["--partition=urgent", "--account=lab", "--nodes=2", "--exclusive", "--output=/dev/null"]
    told(["sbatch", *flags, "--wrap", "sleep 5"])


def runs(job: SlowJob) -> bool:
    return job.fact("JobState") == "RUNNING"


def node_is_down(node: str) -> bool:
    return told(["sinfo", "--noheader", f"--nodes={node}", "--partition=gpu", "--format=%T"]).startswith("down")
