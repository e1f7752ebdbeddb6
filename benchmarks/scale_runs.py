"""Commands run as a user runs them, with what each of them costs: seconds, seconds of a core, and memory."""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

JOBS = re.compile(r"^total +(\d+)$", re.MULTILINE)
BLOCK = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds of wall time, seconds of a core, and its peak memory in MiB."""

    seconds: float
    core_seconds: float
    peak_mib: float


def median_cost(command: Sequence[str], folder: Path, runs: int) -> Cost:
    """Of so many runs the median of each figure; of one run that run's. The first of several only warms."""
    costs = [cost_of(command, folder) for _ in range(runs)]
    kept = costs[1:] or costs
    return Cost(
        statistics.median(cost.seconds for cost in kept),
        statistics.median(cost.core_seconds for cost in kept),
        statistics.median(cost.peak_mib for cost in kept),
    )


def cost_of(command: Sequence[str], folder: Path) -> Cost:
    """Run a command in `folder`; one that fails ends the benchmark with what it said."""
    start = time.perf_counter()
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=surroundings(folder), stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(command)}: ended with {status}\n{(folder / 'said.txt').read_text()[-2000:]}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def said(folder: Path) -> str:
    """What the last command in `folder` wrote."""
    return (folder / "said.txt").read_text(encoding="utf-8")


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a user: modules are kept compiled, and Slurm is not asked."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # Snakemake's Slurm plugin asks Slurm whenever it is imported, for 9 s where Slurm is installed but does not run.
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "SLURM_CONF": os.devnull}


def snakemake(*words: str) -> list[str]:
    """The command `snakemake` of the Python that runs this, on the study."""
    return [sys.executable, "-m", "snakemake", *words, "--configfile", "study.yaml"]


def dry_run(folder: Path, runs: int) -> Cost:
    """The cost of `snakemake -n`."""
    return median_cost(snakemake("-n", "--quiet", "rules"), folder, runs)


def planned_count(folder: Path) -> int:
    """How many jobs the last dry run planned."""
    return int(JOBS.search(said(folder))[1])


def job_start(rule: str, wildcards: str) -> list[str]:
    """What the Slurm plugin runs for a job, up to where its command would start; on a cluster this is done twice."""
    target = ["--target-jobs", f"{rule}:{wildcards}", "--allowed-rules", rule]
    state = ["--force", "--nolock", "--ignore-incomplete", "--no-hooks", "--nocolor", "--cores", "1"]
    return snakemake("-n", *target, *state, "--mode", "remote")


def touch_inputs(folder: Path, rule: str, target: str) -> int:
    """Make an empty file of each input of the job that makes `target`, and count them."""
    cost_of(snakemake("-n", target), folder)
    told = [block for name, block in BLOCK.findall(said(folder)) if name == rule][-1]
    inputs = re.search(r"^    input: (.*)$", told, re.MULTILINE)[1].split(", ")
    for name in inputs:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return len(inputs)
