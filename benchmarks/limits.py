"""Measure what the project promises about time and memory that no test should assert, and write benchmarks/limits.md.

    python benchmarks/limits.py --table benchmarks/limits.md

Run it alone on the machine, after `make demo-data`. Each figure is the median of three runs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.errors import run
from histoloom.files import write_text

RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = snakemake_rows(Path(folder))
    lines = ["# Limits", "", f"`python benchmarks/limits.py` on {os.cpu_count()} cores; medians of {RUNS} runs.", ""]
    lines += ["| what | measured | limit |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows), ""]
    write_text(arguments.table, "\n".join(lines))


def snakemake_rows(folder: Path) -> list[tuple[str, str, str]]:
    """Seconds until a dry run of many jobs ends, and until a wrong config is refused."""
    study, wrong = folder / "many.yaml", folder / "wrong.yaml"
    study.write_text(json.dumps(many_pairs(5, 8, 5)), encoding="utf-8")
    wrong.write_text("train: {epoks: 3}\n", encoding="utf-8")
    dry_run = seconds(lambda: snakemake("-n", "--quiet", "--configfile", str(study)))
    refusal = seconds(lambda: snakemake("-n", "--configfile", str(wrong), expected=1))
    return [
        ("dry run of 5 datasets x 8 architectures x 5 folds", f"{dry_run:.1f} s", "10 s"),
        ("a misspelt key is refused", f"{refusal:.1f} s", "3 s"),
    ]


def many_pairs(datasets: int, architectures: int, folds: int) -> dict:
    """A study with that many entries, all on the demo's data."""
    reader = {"reader": "brecahad", "root": "data/demo/brecahad", "split": {"fold_count": folds}}
    catalogue = {f"data_{k}": reader for k in range(datasets)}
    networks = {f"net_{k}": {"network": "unet", "options": {"width": 8 + k}} for k in range(architectures)}
    chosen = {"name": "many", "datasets": list(catalogue), "architectures": list(networks)}
    return {"study": chosen, "datasets": catalogue, "architectures": networks}


def snakemake(*words: str, expected: int = 0) -> None:
    """Run Snakemake in the repository and make sure that it ended as expected."""
    command = [str(Path(sys.executable).with_name("snakemake")), *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode != expected:
        raise RuntimeError(ended.stdout[-2000:] + ended.stderr[-2000:])


def seconds(what: Callable[[], None]) -> float:
    """Median seconds of RUNS runs."""
    times = []
    for _ in range(RUNS):
        began = time.monotonic()
        what()
        times.append(time.monotonic() - began)
    return statistics.median(times)


if __name__ == "__main__":
    run(main)
