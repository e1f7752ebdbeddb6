"""Write tables as one page to sort and to search, since Snakemake's report only offers a CSV for download."""

import argparse
import csv
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.files import write_text
from histoloom.prepared import read_table
from histoloom.report.pages import table_page

TEMPLATE = Path(__file__).resolve().parents[1] / "workflow" / "report" / "table.html.j2"


def main() -> None:
    arguments = parse()
    rows = [row for table in arguments.table for row in read_table(table)]
    columns = shared_columns(arguments.table)
    name = f"{arguments.html.stem}.csv"
    write_text(arguments.html, table_page(TEMPLATE, arguments.title, columns, rows, name))


def shared_columns(tables: list[Path]) -> list[str]:
    """The header that all tables have; cells of another one would stand under the wrong names."""
    first, *others = (header(table) for table in tables)
    for table, found in zip(tables[1:], others, strict=True):
        if found != first:
            raise InputError(
                f"{table}: columns {', '.join(found)}; expected those of {tables[0]} ({', '.join(first)}); give tables "
                "of one kind"
            )
    return first


def header(table: Path) -> list[str]:
    with table.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--table", type=Path, nargs="+", required=True, metavar="CSV", help="any tables with the same header"
    )
    parser.add_argument("--title", required=True, metavar="TEXT", help="title of the page")
    parser.add_argument(
        "--html", type=Path, required=True, metavar="HTML", help="page to write; the CSV it offers has its name"
    )
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
