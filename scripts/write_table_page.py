"""Write tables as one page whose columns can be sorted by, since Snakemake's report only offers a CSV for download."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.prepared import read_table
from histoloom.report.pages import table_page

TEMPLATE = Path(__file__).resolve().parents[1] / "workflow" / "report" / "table.html.j2"


def main() -> None:
    arguments = parse()
    rows = [row for table in arguments.table for row in read_table(table)]
    write_text(arguments.html, table_page(TEMPLATE, arguments.title, rows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, nargs="+", required=True, help="any tables with the same header")
    parser.add_argument("--title", required=True, metavar="TEXT", help="title of the page")
    parser.add_argument("--html", type=Path, required=True, metavar="HTML", help="page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
