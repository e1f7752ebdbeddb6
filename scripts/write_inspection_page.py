"""Write the page of the report on one dataset: findings, what it holds, and figures of it."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.prepared import read_description, read_table
from histoloom.report.inspection_page import inspection_page

TEMPLATE = Path(__file__).resolve().parents[1] / "workflow" / "report" / "inspection.html.j2"


def main() -> None:
    arguments = parse()
    page = inspection_page(
        TEMPLATE,
        read_description(arguments.dataset),
        findings=[row for path in arguments.findings for row in read_table(path)],
        classes=read_table(arguments.classes),
        measures=read_table(arguments.measures),
        skipped=read_table(arguments.skipped),
        pictures=arguments.picture,
    )
    write_text(arguments.html, page)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    table = {"type": Path, "required": True, "metavar": "CSV"}
    parser.add_argument("--dataset", type=Path, required=True, metavar="JSON", help="Description of the dataset.")
    parser.add_argument("--findings", **table, nargs="+", help="Findings of inspecting and of splitting.")
    parser.add_argument("--classes", **table, help="Table of classes.")
    parser.add_argument("--measures", **table, help="Table of images.")
    parser.add_argument("--skipped", **table, help="Problems that left raw files out.")
    parser.add_argument(
        "--picture", type=Path, required=True, nargs="+", metavar="PNG", help="Figures, in their order."
    )
    parser.add_argument("--html", type=Path, required=True, metavar="HTML", help="Page to write.")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
