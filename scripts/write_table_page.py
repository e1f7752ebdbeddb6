"""Write a CSV as a page with a sortable table, since Snakemake's report offers a CSV only for download."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.prepared import read_table
from histoloom.report.pages import table_page

TEMPLATE = Path(__file__).resolve().parents[1] / "workflow" / "report" / "table.html.j2"


def main() -> None:
    arguments = parse()
    write_text(arguments.html, table_page(TEMPLATE, arguments.title, read_table(arguments.summary)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary", type=Path, required=True, metavar="CSV", help="any table with a header")
    parser.add_argument("--title", required=True, metavar="TEXT", help="title of the page")
    parser.add_argument("--html", type=Path, required=True, metavar="HTML", help="page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
