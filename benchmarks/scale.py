"""Measure what planning, parsing and the start of a job cost as studies grow, and write benchmarks/scale.md.

    python benchmarks/scale.py --table benchmarks/scale.md

Nothing is trained or predicted: the data are files of a few bytes. Takes about five minutes of one core. The tables are
written anew; the reading of them, everything from "## Reading" on, is kept.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scale_runs import Cost, cost_of, dry_run, job_start, median_cost, planned_count, snakemake, touch_inputs
from scale_study import ROOT, Size, lay_study, strip_rules

sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.errors import run
from histoloom.files import write_text

SIZES = {
    "1/64": Size(4, 4, 4, 16),
    "1/16": Size(5, 5, 10, 62),
    "1/4": Size(10, 10, 10, 250),
    "1": Size(20, 20, 10, 1000),
}
RUNS = {"1/64": 3, "1/16": 3, "1/4": 2, "1": 1}  # the first of several only warms
READING = "## Reading"
# A job with few inputs and one with many: rule, its wildcards, one of its outputs.
STARTED = (
    ("train", "dataset=data_0,architecture=net_0,fold=0", "results/data_0/net_0/fold0/history.csv"),
    ("draw_models_sheet", "dataset=data_0", "results/data_0/figures/models_sheet.png"),
)
SCRIPTS = ("record_config", "split_dataset", "evaluate_predictions", "predict_images", "train")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="Shares of the goal's study.")
    arguments = parser.parse_args()
    found = [measured(name) for name in arguments.sizes]
    kept = arguments.table.read_text(encoding="utf-8") if arguments.table.is_file() else ""
    reading = kept[kept.index(READING) :] if READING in kept else ""
    write_text(arguments.table, "\n".join([*introduction(), *tables(found), *script_table(), reading]))


def measured(name: str) -> dict[str, list[str]]:
    """Rows of the three tables for one size."""
    size = SIZES[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lay_study(folder, size)
        cost_of(snakemake("--list"), folder)  # so that all modules are compiled
        planned = dry_run(folder, RUNS[name])
        row = [name, str(size), str(planned_count(folder)), *in_words(planned)]
        starts = [name, *start_words(folder)]
        strip_rules(folder)
        stripped = dry_run(folder, RUNS[name])
    print(f"{name}: {planned}, without params {stripped}", file=sys.stderr, flush=True)
    own = (planned.core_seconds - stripped.core_seconds, planned.peak_mib - stripped.peak_mib)
    return {"plan": [*row, *in_words(stripped), f"{own[0]:.1f}", f"{own[1]:.0f}"], "start": starts}


def start_words(folder: Path) -> Iterator[str]:
    """Seconds of a core: Snakemake alone, parsing, and up to a job's command; wall time of parsing."""
    alone = median_cost([sys.executable, "-m", "snakemake", "--version"], folder, 3)
    parsed = median_cost(snakemake("--list"), folder, 3)
    yield from (f"{alone.core_seconds:.2f}", f"{parsed.core_seconds:.2f}", f"{parsed.seconds:.2f}")
    for rule, wildcards, target in STARTED:
        count = touch_inputs(folder, rule, target)
        yield f"{median_cost(job_start(rule, wildcards), folder, 3).core_seconds:.2f} ({count} inputs)"


def in_words(cost: Cost) -> tuple[str, str, str]:
    return f"{cost.seconds:.1f}", f"{cost.core_seconds:.1f}", f"{cost.peak_mib:.0f}"


def introduction() -> list[str]:
    return [
        "# Scale",
        "",
        f"`python benchmarks/scale.py` on {os.cpu_count()} cores; each figure is the median of two runs after one that "
        "warms, at 1/4 one run after one that warms, at 1 one run. Load of the machine at the end: "
        f"{os.getloadavg()[1]:.1f}. Sizes are datasets x architectures x folds + slides, with two baselines. Goals: a "
        "dry run of size 1 within 60 s and 1 GiB, and parsing within 2 s.",
        "",
    ]


def tables(found: list[dict[str, list[str]]]) -> list[str]:
    plan = [
        "size", "study", "jobs", "s", "s of a core", "MiB", "rules without params, s", "s of a core", "MiB",
        "ours, s of a core", "ours, MiB",
    ]  # fmt: skip
    start = [
        "size", "snakemake --version, s of a core", "parsing, s of a core", "parsing, s",
        *(f"up to the command of {rule}, s of a core" for rule, _, _ in STARTED),
    ]  # fmt: skip
    return [
        *("## Planning: snakemake -n", "", *table(plan, [rows["plan"] for rows in found])),
        *("## Parsing, and what each job pays", "", *table(start, [rows["start"] for rows in found])),
    ]


def script_table() -> list[str]:
    with tempfile.TemporaryDirectory() as place:
        costs = {name: median_cost(script_start(name), Path(place), 2) for name in SCRIPTS}
    rows = [[f"{name}.py", f"{cost.core_seconds:.2f}", f"{cost.peak_mib:.0f}"] for name, cost in costs.items()]
    return ["## Scripts up to their own work (--help)", "", *table(["script", "s of a core", "MiB"], rows)]


def script_start(name: str) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / f"{name}.py"), "--help"]


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    ruler = ["---"] * len(header)
    return [*(f"| {' | '.join(row)} |" for row in (header, ruler, *rows)), ""]


if __name__ == "__main__":
    run(main)
