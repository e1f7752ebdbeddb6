"""Say what changed between two runs of a study: config, code, data, and scores with paired intervals and tests.

A run is a results folder or, where that has reports of several studies, one study's folder in its report/.
"""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_table, write_text
from histoloom.report.runs.run_comparison import CHANGE_COLUMNS, compare_runs
from histoloom.report.runs.run_comparison_text import comparison_page, told
from histoloom.report.runs.run_files import read_run

TEMPLATE = Path(__file__).resolve().parents[1] / "workflow" / "report" / "run_comparison.html.j2"


def main() -> None:
    arguments = parse()
    first, second = read_run(arguments.first), read_run(arguments.second)
    config = second.config
    comparison = compare_runs(first, second, config["evaluate"]["bootstrap"], config["study"]["seed"])
    print(*told(comparison, arguments.class_name or config["report"]["headline_class"]), sep="\n")
    if arguments.table:
        write_table(arguments.table, CHANGE_COLUMNS, (change.row for change in comparison.scores))
    if arguments.html:
        write_text(arguments.html, comparison_page(TEMPLATE, comparison))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--first", type=Path, required=True, metavar="FOLDER", help="the run that stands for before: A")
    parser.add_argument("--second", type=Path, required=True, metavar="FOLDER", help="the run that stands for after: B")
    parser.add_argument(
        "--class", dest="class_name", metavar="NAME", help="class to print; without it the report's headline class"
    )
    parser.add_argument("--table", type=Path, metavar="CSV", help="table of all scores of all classes to write")
    parser.add_argument("--html", type=Path, metavar="HTML", help="page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
