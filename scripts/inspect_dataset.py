"""Look for problems in a prepared dataset: write findings, tables of what it holds, and figures of it."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.files import write_table
from histoloom.findings import FINDING_COLUMNS, Finding
from histoloom.formats.images import read_image, read_instances, read_mask
from histoloom.prepare.inspection.findings import inspect
from histoloom.prepare.inspection.measure_tables import (
    CLASS_COLUMNS,
    NUCLEUS_COLUMNS,
    class_table,
    measure_columns,
    measure_table,
    nucleus_table,
)
from histoloom.prepare.inspection.measuring import Measured, measure
from histoloom.prepared import Description, IndexRow, read_description, read_index, read_table
from histoloom.progress import progress_bar
from histoloom.report.figures.sheet import Example, choose_examples, draw_sheet, drawn_colours
from histoloom.report.figures.sizes import draw_sizes
from histoloom.report.figures.stains import draw_stains
from histoloom.report.figures.style import save, save_tissue


def main() -> None:
    arguments = parse()
    description = read_description(arguments.dataset)
    rows = read_index(arguments.index)
    duplicates, skipped = read_table(arguments.duplicates), read_table(arguments.skipped)
    images = []
    with progress_bar(f"inspect {description.name}", "images") as progress:
        for row in rows:
            images.append(measure(row))
            progress(len(images), len(rows))
    findings = inspect(images, description, duplicates=duplicates, skipped=skipped)
    write_tables(arguments, images, findings, description.classes)
    save(draw_sizes(images, description.name, description.classes), arguments.sizes)
    save(draw_stains(images, description.name), arguments.stains)
    broken = {finding.subject for finding in findings if finding.kind in ("size_conflict", "unknown_value")}
    sound = [image for image in images if image.row.name not in broken]
    if sound:  # where no mask fits its image there is nothing to draw, and the errors end the script below
        save_sheet(choose_examples(sound, arguments.examples), description, arguments.sheet)
    for finding in findings:
        print(f"{finding.severity}: {finding.subject}: {finding.message}", file=sys.stderr)
    refuse(findings, arguments.findings)


def write_tables(
    arguments: argparse.Namespace, images: Sequence[Measured], findings: Sequence[Finding], classes: Sequence[str]
) -> None:
    write_table(arguments.findings, FINDING_COLUMNS, [astuple(finding) for finding in findings])
    write_table(arguments.classes, CLASS_COLUMNS, class_table(images, classes))
    write_table(arguments.measures, measure_columns(len(classes)), measure_table(images, len(classes)))
    write_table(arguments.nuclei, NUCLEUS_COLUMNS, nucleus_table(images, classes))


def save_sheet(rows: Sequence[IndexRow], description: Description, path: Path) -> None:
    examples = [read_example(row) for row in rows]
    figure = draw_sheet(examples, description.name, description.classes)
    names = "examples: " + ", ".join(row.name for row in rows)
    save_tissue(figure, path, drawn_colours(description.classes), names)


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
    parser.add_argument("--duplicates", type=Path, required=True, help="Table of images that are alike (CSV).")
    parser.add_argument("--skipped", type=Path, required=True, help="Table of problems that left raw files out (CSV).")
    parser.add_argument("--examples", type=int, required=True, help="Number of images on the sheet, at least 1.")
    parser.add_argument("--findings", type=Path, required=True, help="Table of problems to write (CSV).")
    parser.add_argument("--classes", type=Path, required=True, help="Table of classes to write (CSV).")
    parser.add_argument("--measures", type=Path, required=True, help="Table of images to write (CSV).")
    parser.add_argument("--nuclei", type=Path, required=True, help="Table of nuclei by class and area to write (CSV).")
    parser.add_argument("--sheet", type=Path, required=True, help="Overview sheet to write (PNG).")
    parser.add_argument("--sizes", type=Path, required=True, help="Figure of sizes to write (PNG).")
    parser.add_argument("--stains", type=Path, required=True, help="Figure of stains and colours to write (PNG).")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
