"""Write the tables of a dataset as Parquet, and its summary as a LaTeX table for a paper."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.evaluate.tables.exports import write_parquet
from histoloom.evaluate.tables.latex_table import latex_table
from histoloom.files import write_text
from histoloom.prepared import read_table


def main() -> None:
    arguments = parse()
    for table in (arguments.summary, arguments.comparison, *arguments.table):
        write_parquet(arguments.parquet / f"{table.stem}.parquet", table)
    summary, comparison = read_table(arguments.summary), read_table(arguments.comparison)
    known = {row["metric"] for row in summary}
    metrics = [metric for metric in arguments.metric if metric in known]
    if left_out := [metric for metric in arguments.metric if metric not in known]:
        print(f"{arguments.summary}: has no {', '.join(left_out)}; left out of the LaTeX table")
    write_text(arguments.latex, latex_table(summary, comparison, metrics, arguments.class_name))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary", type=Path, required=True, metavar="CSV", help="means and intervals")
    parser.add_argument("--comparison", type=Path, required=True, metavar="CSV", help="paired differences")
    parser.add_argument(
        "--table", type=Path, nargs="*", default=[], metavar="CSV", help="further tables, such as scores"
    )
    parser.add_argument(
        "--metric", nargs="+", required=True, help="columns of the LaTeX table, as named in the summary"
    )
    parser.add_argument("--class", dest="class_name", required=True, help="class of the LaTeX table, such as mean")
    parser.add_argument("--parquet", type=Path, required=True, metavar="FOLDER", help="gets a file for each table")
    parser.add_argument("--latex", type=Path, required=True, metavar="TEX", help="LaTeX table to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
