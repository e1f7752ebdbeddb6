"""Measure how long a user waits until bad input is told, and write benchmarks/bad_input.md.

    python benchmarks/bad_input.py --table benchmarks/bad_input.md

The cases are some of tests/bad_input, each in a process of its own as a user or Snakemake starts it, start of Python
and imports included. Processor seconds are what a core takes that has nothing else to do.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from tests.bad_input.case import Case, command_line, told, told_as_process
from tests.bad_input.test_messages import TABLE

from histoloom.errors import run
from histoloom.files import write_text

RUNS = 3
CASES = {  # name of the case: its limit in seconds
    "a key with a slip of the pen": "3",
    "six problems at once": "3",
    "a folder of data that is not there": "3",
    "half a PNG": "",
    "more objects than the limit": "",
    "a headline of nuclei where a dataset has none": "",
    "one patient in training and test": "",
    "a slide of which a third is missing": "",
    "a zip that leaves its folder": "",
    "half a prediction to be scored": "",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    cases = {case.name: case for case in TABLE}
    rows = [row(cases[name], limit) for name, limit in CASES.items()]
    lines = [
        "# Bad input: how long until it is told",
        "",
        f"`python benchmarks/bad_input.py` on {os.cpu_count()} cores, medians of {RUNS} runs. The machine had other "
        f"work: load {before:.1f} at the start and {os.getloadavg()[0]:.1f} at the end. On an idle machine "
        "the seconds are about the processor seconds. The limit is that of a config's errors.",
        "",
        "| row | case | command | seconds | processor seconds | limit |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]
    write_text(arguments.table, "\n".join(lines))


def row(case: Case, limit: str) -> str:
    """A line of the table: median seconds, by the clock and of processors."""
    times = [measured(case) for _ in range(RUNS)]
    wall, spent = (statistics.median(each) for each in zip(*times, strict=True))
    return f"| {case.row} | {case.name} | `{case.words[0]}` | {wall:.1f} | {spent:.1f} | {limit} |"


def measured(case: Case) -> tuple[float, float]:
    """Seconds by the clock and of processors until the command of a case has ended; its files are laid before."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        os.environ["HISTOLOOM_LIMITS"] = case.limits
        case.lay()
        for step in case.before:
            step() if callable(step) else told(command_line(step))
        began, spent = time.monotonic(), processor_seconds()
        status, _ = told_as_process(case.command)
        if status != case.status:
            raise RuntimeError(f"{case.name}: exit status {status}")
        return time.monotonic() - began, processor_seconds() - spent


def processor_seconds() -> float:
    """Of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    run(main)
