"""Faults inflicted on purpose, rows F1 to F16: how, how often, what happened, and whether the bytes are the same.

    python benchmarks/faults.py                     # hours on two cores; rows that are done are kept in faults.json
    python benchmarks/faults.py --only F1 --kills 10

Writes benchmarks/faults.md anew after each row. What is struck are tiny pieces of work (tests/faults/fault_cases.py);
the moments are drawn from a seed. Rows that need a Slurm are tried by `make test-cluster`.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from tests.faults.fault_cases import STAGES, training
from tests.faults.forked_runs import ForkServer
from tests.faults.inflicted import (
    Trial,
    agent_killed,
    asked_by_sigterm,
    asked_by_sigusr1,
    job_killed,
    killed,
    rank_killed,
)
from tests.faults.soak import job, undisturbed

from histoloom.errors import run
from histoloom.files import write_json, write_text

TABLE = ROOT / "benchmarks" / "faults.md"
KEPT = ROOT / "benchmarks" / "faults.json"
SLURM = "by `make test-cluster`: see below"
SLURM_ROWS = ROOT / "benchmarks" / "faults_slurm.json"  # of `make test-cluster CLUSTER="--rows ..."`


def main() -> None:
    arguments = parsed()
    rows = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    for name, measure in MEASURED.items():
        if arguments.only in ("", name) and (name not in rows or arguments.again):
            folder = Path(tempfile.mkdtemp(prefix="histoloom-faults-"))
            began = time.monotonic()
            rows[name] = {**measure(folder, arguments), "minutes": round((time.monotonic() - began) / 60, 1)}
            rows[name]["on"] = datetime.now(UTC).date().isoformat()
            shutil.rmtree(folder)
            write_json(KEPT, rows)
            write_text(TABLE, page(rows))
            print(name, rows[name], file=sys.stderr, flush=True)


def kills_of_a_training(folder: Path, arguments: argparse.Namespace) -> dict:
    """F1."""
    return struck(
        folder, ("train.py",), training, "SIGKILL of the process at a random time", arguments.kills, (killed,)
    )


def kills_of_a_job(folder: Path, arguments: argparse.Namespace) -> dict:
    """F3."""
    how = "SIGKILL of one rank, the agent, or all of a job of 2 processes, at a random time"
    strikes = (rank_killed, agent_killed, job_killed)
    return struck(folder, ("train.py",), job, how, max(arguments.kills * 3 // 10, 1), strikes)


def requests_to_stop(folder: Path, arguments: argparse.Namespace) -> dict:
    """F4, without Slurm."""
    how = "SIGTERM to all processes or SIGUSR1 to the trainer, at a random time"
    strikes = (asked_by_sigterm, asked_by_sigusr1)
    return struck(folder, ("train.py",), training, how, max(arguments.kills // 2, 1), strikes)


def kills_of_stages(folder: Path, arguments: argparse.Namespace) -> dict:
    """F15."""
    every, each = [], max(arguments.kills // 5, 1)
    for name, make in STAGES.items():
        (folder / name).mkdir()
        every.append(struck(folder / name, (f"{name}.py",), make, "", each, (killed,)))
    return {
        "how": f"SIGKILL at a random time of {', '.join(STAGES)}",
        "times": f"{len(STAGES)} x {each}",
        "what": f"{sum(one['ends'] for one in every)} finished runs; never anything half done under a final name",
        "equal": "yes, in all of them",
    }


def struck(
    folder: Path, scripts: Sequence[str], make: Callable, how: str, times: int, strikes: Sequence[Callable]
) -> dict:
    """Strike runs of a piece of work until `times` have been struck down; each piece is finished and looked at.

    Raises ViolationError where something promised does not hold.
    """
    draw, done, ends, hits, statuses = random.Random(0), 0, 0, 0, Counter()
    with ForkServer(tuple(scripts), folder) as server:
        known = undisturbed(server, make(folder / "undisturbed"))
        while done < times:
            trial = Trial(server, make(folder / f"case-{ends}"), *known, draw)
            for _ in range(min(draw.randint(2, 8), times - done)):
                strikes[hits % len(strikes)](trial)
                hits += 1
                statuses[status := trial.runs[-1].wait()] += 1
                if status == 0:
                    break  # it had ended by itself before
                done += 1
            trial.finish()
            shutil.rmtree(trial.work.folder)
            ends += 1
            print(f"{done} of {times} struck, {ends} finished", file=sys.stderr, flush=True)
    told = ", ".join(f"{count} with {status}" for status, count in sorted(statuses.items()))
    what = f"runs ended {told}; {ends} trainings finished after these; no process, lease or half-written file left"
    return {"how": how, "times": str(done), "what": what, "equal": f"yes, {ends} of {ends}", "ends": ends}


def by_tests(how: str, what: str, equal: str, *tests: str, **environment: str) -> Callable:
    """A row that tests measure: it stands only where all of them pass, and says how many did."""

    def measure(_: Path, arguments: argparse.Namespace) -> dict:
        words = [sys.executable, "-m", "pytest", "-p", "no:xdist", *tests]
        counts = {name: value.format(kills=arguments.kills) for name, value in environment.items()}
        done = subprocess.run(
            words, cwd=ROOT, env={**os.environ, **counts}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(done.stdout[-3000:])
        passed = re.search(r"(\d+) passed(?:, (\d+) skipped)?", done.stdout)
        times = " ".join(counts.values()) or f"{passed[1]} cases" + (f", {passed[2]} skipped" if passed[2] else "")
        return {"how": how, "times": times, "what": what, "equal": equal}

    return measure


def said(how: str, what: str) -> Callable:
    """A row that nothing here measures."""

    def row(_: Path, __: argparse.Namespace) -> dict:
        return {"how": how, "times": "-", "what": what, "equal": "-"}

    return row


MEASURED = {
    "F1": kills_of_a_training,
    "F2": by_tests(
        "SIGKILL while checkpoints are written one after the other",
        "the newest or the one before it is whole and taken",
        "yes",
        "tests/train/test_checkpoint_damage.py",
        HISTOLOOM_KILLS="{kills}",
    ),
    "F3": kills_of_a_job,
    "F4": requests_to_stop,
    "F5": said("a node of two is lost", SLURM),
    "F6": said("Snakemake is killed while its Slurm job runs, and started again", SLURM),
    "F7": by_tests(
        "a second trainer; a second snakemake",
        "status 3 with user, host, process, job and since; Snakemake's lock; nothing changed",
        "yes",
        "tests/faults/test_two_at_once.py",
    ),
    "F8": by_tests(
        "a full disk in memory (tmpfs), and a limit on the size of files, under every stage and training; tiles",
        '"no space left: PATH (...)", old files whole, nothing half done; no image is left out for it',
        "yes, once there is room",
        "tests/faults/test_full_disk.py",
        "tests/test_files.py",
        "tests/formats/test_arrays.py",
    ),
    "F9": by_tests(
        "folders without rights, a disk mounted read-only, unreadable input, $TMPDIR that is not there",
        "a message of at most four lines and status 1, no traceback; $TMPDIR is not needed",
        "yes",
        "tests/faults/test_no_rights.py",
    ),
    "F10": by_tests(
        "a limit on the address space; CUDA's error simulated",
        "training and prediction say which settings to lower; where torch tells of it in time (CUDA, "
        "simulated) prediction halves its batch, goes on and says so",
        "yes, for two tiles at once or more",
        "tests/faults/test_short_memory.py",
        "tests/predict/engine/test_halving.py",
        "tests/faults/test_failing_training.py",
    ),
    "F11": by_tests(
        "a learning rate of 1e30, in 1 and 2 processes",
        "stops and keeps its best epoch, or leaves steps out and counts them, as set",
        "-",
        "tests/faults/test_failing_training.py",
    ),
    "F12": by_tests(
        "checkpoints cut short, turned bits, of another network, malicious pickles",
        "passed over with a warning, or refused; nothing of them is run",
        "yes",
        "tests/train/test_checkpoint.py",
        "tests/train/test_checkpoint_damage.py",
    ),
    "F13": by_tests(
        "learning rate, augmentation, epochs or classes edited after a kill",
        "trained anew in a state of its own, more epochs too; the old state stays for who goes back; what reruns: "
        "tests/study/test_snakemake.py",
        "yes, to a fresh training of those settings",
        "tests/faults/test_other_times_and_settings.py",
    ),
    "F14": by_tests(
        "tuning: workers killed at random moments, the journal cut at any byte, a full disk",
        "the study goes on; no trial is lost, and none is made twice",
        "yes, the same trials with the same values as undisturbed",
        "tests/tune/test_trials.py",
        "tests/tune/test_journal.py",
    ),
    "F15": kills_of_stages,
    "F16": by_tests(
        "a clock that jumps by 400 days, other times of all files, a copy elsewhere",
        "training goes on where it was; a touch and a moved study rerun nothing (tests/study/test_snakemake.py)",
        "yes",
        "tests/faults/test_other_times_and_settings.py",
    ),
}


def page(rows: dict) -> str:
    """The table of all rows that are done."""
    lines = [
        "# Faults",
        "",
        "Measured by [faults.py](faults.py) on tiny work. Equal: SHA-256 of all results (weights, history but",
        "for its seconds, pictures, tables, predictions) is that of an undisturbed run on the same machine.",
        "",
        "| row | injected | times | what happened | equal | minutes | on |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in MEASURED:
        row = rows.get(name)
        cells = [row[key] for key in ("how", "times", "what", "equal", "minutes", "on")] if row else ["not run yet"] * 6
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    soak = ["", "## Soak", "", rows["soak"]] if "soak" in rows else []  # written by hand: what `make soak` printed
    return "\n".join([*lines, *slurm_lines(), *soak]) + "\n"


def slurm_lines() -> list[str]:
    """The table of what was done to trainings under Slurm, where that was measured."""
    if not SLURM_ROWS.is_file():
        return []
    rows = json.loads(SLURM_ROWS.read_text(encoding="utf-8"))
    cells = [[row[key] or "-" for key in ("fault", "how", "happened", "equal")] for row in rows]
    return [
        "",
        "## Under Slurm",
        "",
        'Two nodes on one machine, `make test-cluster CLUSTER="--rows benchmarks/faults_slurm.json"`; each once.',
        "",
        "| fault | injected | what happened | equal |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in cells),
    ]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", choices=("", *MEASURED), help="one row")
    parser.add_argument("--again", action="store_true", help="rows that are done as well")
    parser.add_argument("--kills", type=int, default=100, help="of F1 and F2; other rows have shares of it")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
