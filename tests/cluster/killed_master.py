"""Snakemake is killed while its training runs as a Slurm job, and started again: two jobs of one training at once."""

import os
import re
import shutil
import signal
import time
from hashlib import sha256
from pathlib import Path

from tests.cluster.comparison import compare
from tests.cluster.slurm_jobs import told
from tests.cluster.working_copies import lay, snakemake, started

FOLD = "results/demo_nuclei/unet_small/fold0"
INPUTS = [f"results/demo_nuclei/{name}" for name in ("folds.csv", "tiles/windows.csv", "inspection/findings.csv")]
STUDY = ["--configfile", "config/studies/demo.yaml", "tests/cluster/small.yaml", "tests/cluster/long.yaml"]
MINUTES = 20  # after which whatever hangs is killed
HELD = "another run is at work here"


def killed_master(folder: Path) -> dict[str, str]:
    """Train through Slurm with a master that dies, its follower, and a third that finds the first job finished."""
    copy, log = lay(folder / "killed_master"), folder / "killed_master.log"
    finish(copy, *INPUTS, log=log)
    undisturbed = folder / "undisturbed_master"
    shutil.copytree(copy, undisturbed, symlinks=True)
    finish(undisturbed, f"{FOLD}/history.csv", log=log)

    flags = ("--profile", "slurm", "--retries", "0", f"{FOLD}/history.csv")
    master = started(copy, *flags, *STUDY, log=log)
    first = job_of(wait_for_state(copy, master))
    os.killpg(master.pid, signal.SIGKILL)
    master.wait()
    snakemake(copy, "--unlock", log=log, seconds=300)
    second = snakemake(copy, *flags, *STUDY, log=log, seconds=60 * MINUTES)
    words = train_log(copy)
    is_told = HELD in words and f"job {first}" in words
    while state_of(first) in ("RUNNING", "COMPLETING"):
        time.sleep(1)
    first_end = state_of(first)
    finish(copy, *flags, log=log)
    unlike = [row for row in compare(undisturbed, copy) if row.difference and row.path.startswith(FOLD)]
    is_well = is_told and second == 1 and first_end == "COMPLETED" and not unlike
    return {
        "fault": "killed Snakemake master, started again",
        "how": "SIGKILL while its Slurm job trains",
        "happened": f"second job told of the first: {is_told}, failed: {second == 1}; first: {first_end}; run again",
        "model": sha256((copy / FOLD / "model.safetensors").read_bytes()).hexdigest()[:12],
        "equal": "equal" if is_well else f"DIFFERENT: {unlike}",
    }


def finish(copy: Path, *arguments: str, log: Path) -> None:
    """Run snakemake to a good end."""
    if status := snakemake(copy, *arguments, *STUDY, log=log, seconds=60 * MINUTES):
        raise RuntimeError(f"snakemake {' '.join(arguments)} ended with {status}; its words are in {log}")


def wait_for_state(copy: Path, master) -> Path:
    """The lease file of the training, once its first epoch is saved."""
    while not list((copy / FOLD).glob("state/*/checkpoint-*")):
        if master.poll() is not None:
            raise RuntimeError("snakemake ended before training had saved anything")
        time.sleep(0.2)
    return next((copy / FOLD).glob("state/*.lease"))


def job_of(lease: Path) -> str:
    """The number of the Slurm job that holds a state folder."""
    return re.search(r'"job": "(\d+)', lease.read_text())[1]


def state_of(job: str) -> str:
    """Slurm's word for the state of a job."""
    return re.search(r"JobState=(\S*)", told(["scontrol", "show", "job", job, "--oneliner"]))[1]


def train_log(copy: Path) -> str:
    """What the last training of the fold wrote."""
    return (copy / "logs/train/demo_nuclei/unet_small/fold0.log").read_text()
