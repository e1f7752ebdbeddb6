"""Run the small studies to their reports, one after the other, and check what each has to show.

    python -m tests.studies.run_studies [--study NAME] [--cores N] [--check-only]

Run in the checkout, where results/ then holds them; the samples lie where study.samples says, else all is skipped.
Status 1 where a study fails or lacks something that is promised.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.studies.promised import PROMISED

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
STUDIES = "config/studies"
BEFORE = {"hnscc_gif": ["hnscc"]}  # studies that a study's own config is given after
LAID = {  # what makes a study's samples of ours
    "cryonuseg": [sys.executable, "scripts/lay_second_annotator.py", "--study", f"{STUDIES}/small/cryonuseg.yaml"],
    "pannuke": [sys.executable, "scripts/lay_real_samples.py", "--study", f"{STUDIES}/real_samples.yaml"],
}
LINES_SHOWN = 25  # of the log of a run that failed


@dataclass(frozen=True)
class Outcome:
    """How a study ended: seconds of the run and of its report, what it lacks, and whether it ran to its end."""

    study: str
    run_s: float
    report_s: float
    lacking: tuple[str, ...]
    promises: int
    failed: bool


def main() -> None:
    arguments = parsed()
    names = [arguments.study] if arguments.study else list(PROMISED)
    if missing := absent_samples(names):
        print("\n".join(f"skipped {name}: no folder {folder}" for name, folder in missing.items()))
    outcomes = [carry_out(name, arguments) for name in names if name not in missing]
    print("\n".join(table(outcomes)))
    if any(each.failed or each.lacking for each in outcomes):
        sys.exit(1)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--study", choices=tuple(PROMISED), help="this one alone")
    parser.add_argument("--cores", type=int, default=2, metavar="N", help="cores that Snakemake may use")
    parser.add_argument("--check-only", action="store_true", help="run nothing, check what is there")
    return parser.parse_args()


def absent_samples(names: list[str]) -> dict[str, Path]:
    """Studies whose samples are not there, with the folder that is missing."""
    folders = {}
    for name in names:
        study = yaml.safe_load((ROOT / STUDIES / "small" / f"{name}.yaml").read_text(encoding="utf-8"))
        folders[name] = ROOT / study["study"]["samples"]
    return {name: folder for name, folder in folders.items() if not folder.is_dir()}


def carry_out(name: str, arguments: argparse.Namespace) -> Outcome:
    """Run a study and its report, then look at what they left."""
    log = ROOT / "logs" / "studies" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    files = [f"{STUDIES}/{each}.yaml" for each in (*BEFORE.get(name, ()), name, f"small/{name}")]
    snakemake = [sys.executable, "-m", "snakemake", "--cores", str(arguments.cores), "--configfile", *files]
    run_s = report_s = 0.0
    failed = False
    if not arguments.check_only:
        if name in LAID:
            subprocess.run(LAID[name], cwd=ROOT, check=True)
        failed, run_s = timed(snakemake, log)
        if not failed:
            failed, report_s = timed([*snakemake, "--report", f"results/{name}_small.html"], log)
    lacking = [f"{each.what}: {said}" for each in PROMISED[name] if (said := each.lacking(RESULTS))]
    print("\n".join([f"{name}: lacks {each}" for each in lacking]) or f"{name}: nothing is lacking", flush=True)
    return Outcome(name, run_s, report_s, tuple(lacking), len(PROMISED[name]), failed)


def timed(command: list[str], log: Path) -> tuple[bool, float]:
    """Run a command, its output appended to the log; whether it failed, and its seconds."""
    start = time.monotonic()
    with log.open("a") as file:
        status = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT).returncode
    if status:
        last = log.read_text(errors="replace").splitlines()[-LINES_SHOWN:]
        print("\n".join([f"status {status}, see {log.relative_to(ROOT)}:", *last]), flush=True)
    return status != 0, time.monotonic() - start


def table(outcomes: list[Outcome]) -> list[str]:
    """Markdown rows of what was run."""
    lines = ["", "| study | run, minutes | report, seconds | promises kept | ended |", "|---|---|---|---|---|"]
    for each in outcomes:
        kept = f"{each.promises - len(each.lacking)} of {each.promises}"
        ended = "failed" if each.failed else "lacking" if each.lacking else "whole"
        lines.append(f"| {each.study} | {each.run_s / 60:.1f} | {each.report_s:.0f} | {kept} | {ended} |")
    return lines


if __name__ == "__main__":
    main()
