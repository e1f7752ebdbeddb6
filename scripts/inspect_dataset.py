"""Look for problems in a prepared dataset: write findings, a class table and an overview sheet."""

import argparse
import sys
from dataclasses import astuple
from pathlib import Path

from tqdm import tqdm

from histoloom.errors import InputError, run
from histoloom.files import write_table
from histoloom.images import read_image, read_instances, read_mask
from histoloom.prepare.inspection import CLASS_COLUMNS, FINDING_COLUMNS, Finding, class_table, inspect, measure
from histoloom.prepared import IndexRow, read_description, read_index
from histoloom.report.figures.sheet import Example, choose_examples, draw_sheet, drawn_colours
from histoloom.report.figures.style import save_tissue


def main() -> None:
    arguments = parse()
    description = read_description(arguments.dataset)
    rows = read_index(arguments.index)
    images = [measure(row) for row in tqdm(rows, desc=f"inspect {description.name}", unit="image", disable=None)]
    findings = inspect(images, description)
    write_table(arguments.findings, FINDING_COLUMNS, [astuple(finding) for finding in findings])
    write_table(arguments.classes, CLASS_COLUMNS, class_table(images, description.classes))
    broken = {finding.subject for finding in findings if finding.kind in ("size_conflict", "unknown_value")}
    sound = [image for image in images if image.row.name not in broken]
    if sound:  # where no mask fits its image there is nothing to draw, and the errors end the script below
        examples = [read_example(row) for row in choose_examples(sound, arguments.examples)]
        figure = draw_sheet(examples, description.name, description.classes)
        names = "examples: " + ", ".join(example.row.name for example in examples)
        save_tissue(figure, arguments.sheet, drawn_colours(description.classes), names)
    for finding in findings:
        print(f"{finding.severity}: {finding.subject}: {finding.message}", file=sys.stderr)
    refuse(findings, arguments.findings)


def read_example(row: IndexRow) -> Example:
    instances = read_instances(row.instances) if row.instances else None
    return Example(row, read_image(row.image), read_mask(row.mask), instances)


def refuse(findings: list[Finding], path: Path) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise InputError(
            f"{path}: {len(errors)} error(s) in the dataset; expected none before training. The first:\n"
            f"{errors[0].subject}: {errors[0].message}\n"
            "all of them are in the log above this line; mend the dataset and run again"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--index", type=Path, required=True, help="Table of the prepared images (CSV).")
    parser.add_argument("--dataset", type=Path, required=True, help="Description of the dataset (JSON).")
    parser.add_argument("--examples", type=int, required=True, help="Number of images on the sheet, at least 1.")
    parser.add_argument("--findings", type=Path, required=True, help="Table of problems to write (CSV).")
    parser.add_argument("--classes", type=Path, required=True, help="Table of classes to write (CSV).")
    parser.add_argument("--sheet", type=Path, required=True, help="Overview sheet to write (PNG).")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
