"""A study through Slurm and without, compared byte for byte, and trainings under Slurm that are disturbed.

    python -m tests.cluster.run_cluster_tests [--small] [--part study|faults] [--folder DIR] [--rows FILE.json]

Starts a Slurm of two nodes on this machine (start_slurm.sh, as root) and stops it at the end, however that comes.
Status 1 where anything differs or fails; then the folder with both runs stays.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.comparison import compare, report
from tests.cluster.rounded_model import TARGETS, lay_strokes, round_failures
from tests.cluster.slurm_faults import all_faults
from tests.cluster.working_copies import DEMO, ROOT, lay, snakemake

HERE = Path(__file__).parent
STUDY = ["config/studies/demo.yaml", "tests/cluster/two_nodes.yaml"]
SMALL = "tests/cluster/small.yaml"
LEFT = ("local", "slurm", "faults", "local.log", "slurm.log")
HOURS = 3  # after which a run that hangs is killed


def main() -> None:
    arguments = parsed()
    clear(arguments.folder)
    with running_slurm():
        failures = [
            *(study_failures(arguments) if arguments.part != "faults" else ()),
            *(fault_failures(arguments) if arguments.part != "study" else ()),
        ]
    if failures:
        sys.exit("\n".join([*(f"FAILED {each}" for each in failures), f"the runs lie in {arguments.folder}"]))
    clear(arguments.folder)
    print("all equal")


def clear(folder: Path) -> None:
    """Remove what an earlier run left in the folder, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in LEFT:
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink(missing_ok=True)


@contextmanager
def running_slurm() -> Iterator[None]:
    """A Slurm for the block, stopped at its end and at Ctrl-C."""
    if subprocess.run([HERE / "start_slurm.sh"], stdin=subprocess.DEVNULL).returncode:
        sys.exit(1)  # it has said why
    try:
        yield
    finally:
        subprocess.run([HERE / "stop_slurm.sh"], check=True)


def study_failures(arguments: argparse.Namespace) -> Iterator[str]:
    """Run the study both ways; what fails or differs."""
    config = ["--configfile", *STUDY, *([SMALL] if arguments.small else [])]
    ways = {"local": [], "slurm": ["--profile", "slurm"]}
    copies = {way: lay(arguments.folder / way) for way in ways}
    if arguments.small:
        config = ["all", *TARGETS, *config]
        for copy in copies.values():
            lay_strokes(copy)
    for way, flags in ways.items():
        began, log = time.monotonic(), arguments.folder / f"{way}.log"
        status = snakemake(copies[way], *flags, *config, log=log, seconds=3600 * HOURS)
        print(f"{way}: {time.monotonic() - began:.0f} s, {log.read_text().count('Finished jobid')} jobs", flush=True)
        if status:
            yield f"{way}: snakemake ended with {status}; its words are in {log}"
            return
    rows = compare(copies["local"], copies["slurm"])
    print(report(rows), flush=True)
    yield from (f"{row.path}: {row.difference}" for row in rows if row.difference)
    if arguments.small:
        yield from round_failures(copies["slurm"])


def fault_failures(arguments: argparse.Namespace) -> Iterator[str]:
    """Disturb trainings; write a row for each to --rows, and give those that did not end as they should."""
    rows = []
    for row in all_faults(arguments.folder):
        print(f"{row['fault']}: {row['happened']}; {row['equal']}", flush=True)
        rows.append(row)
        if row["equal"] != "equal":
            yield f"{row['fault']}: {row['happened']}; {row['equal']}"
    if arguments.rows:
        arguments.rows.write_text(json.dumps(rows, indent=2) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="One dataset, one fold, two epochs of the demo, a round.")
    parser.add_argument("--part", choices=("study", "faults"), help="Only this; else both.")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/histoloom-cluster"), help="For all runs.")
    parser.add_argument("--rows", type=Path, help="JSON for a row of each fault.")
    arguments = parser.parse_args()
    if not (ROOT / DEMO).is_dir():
        parser.error(f"{DEMO}: missing; expected the demo's images; run `make demo-data`")
    return arguments


if __name__ == "__main__":
    main()
