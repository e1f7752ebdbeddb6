"""Bring all images of a dataset to one stain, whose reference is drawn from the training images of a fold alone."""

import argparse
import sys
from collections import Counter
from dataclasses import astuple
from pathlib import Path

from histoloom import plugins
from histoloom.colour.normaliser import Normaliser
from histoloom.colour.stain import EstimateFailed
from histoloom.errors import InputError, run
from histoloom.files import atomic_folder, digest_of, write_table
from histoloom.findings import FINDING_COLUMNS
from histoloom.formats.images import read_image, write_image
from histoloom.prepared import part_rows, read_index, read_table
from histoloom.progress import progress_bar
from histoloom.split.normalisation import (
    NORMALISED_COLUMNS,
    draw_reference,
    normalisation_findings,
    normalised,
    table_row,
    write_normalised_index,
    write_reference,
)


def main() -> None:
    arguments = parse_arguments()
    normalise = fit(arguments)
    parts = {row["name"]: row["part"] for row in read_table(arguments.folds) if int(row["fold"]) == arguments.fold}
    rows, table, digests = read_index(arguments.index), [], {}
    with atomic_folder(arguments.images) as folder, progress_bar("normalise", "images") as progress:
        for row in rows:
            outcome = normalised(read_image(row.image), normalise)
            if outcome.reason:
                print(f"{row.name}: kept as it is: {outcome.reason}", file=sys.stderr)
            write_image(folder / f"{row.name}.png", outcome.image)
            digests[row.name] = digest_of(outcome.image.tobytes())
            table.append(table_row(row.name, parts.get(row.name, ""), outcome))
            progress(len(table), len(rows))
    write_table(arguments.table, NORMALISED_COLUMNS, table)
    if arguments.normalised_index:
        write_normalised_index(arguments.index, arguments.images, digests, arguments.normalised_index)
    findings = normalisation_findings(table, arguments.fold)
    write_table(arguments.findings, FINDING_COLUMNS, [astuple(finding) for finding in findings])
    states = Counter(row["state"] for row in table)
    print(f"{states['normalised']} images normalised, {states['fallback']} kept as they are", file=sys.stderr)


def fit(arguments: argparse.Namespace) -> Normaliser:
    rows = part_rows(arguments.index, arguments.folds, arguments.fold, "train")
    method = plugins.load("normalisers", arguments.method)
    with progress_bar("reference", "images") as progress:
        reference = draw_reference(rows, arguments.seed, progress)
    try:
        normalise = method(reference)
    except EstimateFailed as error:
        raise InputError(
            f"{arguments.folds}: the training images of fold {arguments.fold} give no reference for "
            f"'{arguments.method}' ({error}); expected tissue of two stains in each; remove images of one colour, set "
            "another normalise.method, or normalise nothing in this study"
        ) from error
    write_reference(arguments.reference, arguments.method, reference)
    return normalise


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv: which image is in which part")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold, from 0")
    parser.add_argument(
        "--method", choices=plugins.names("normalisers"), required=True, help="a file in histoloom/normalisers/"
    )
    parser.add_argument("--seed", type=int, required=True, help="number that the reference's pixels are drawn from")
    parser.add_argument("--images", type=Path, required=True, help="folder to write <name>.png into")
    parser.add_argument("--table", type=Path, required=True, help="table to write: state and stain vectors by image")
    parser.add_argument("--findings", type=Path, required=True, help="findings to write: images kept as they are")
    parser.add_argument("--reference", type=Path, required=True, help="file to write: the reference's pixels (.npz)")
    parser.add_argument("--normalised-index", type=Path, help="index.csv to write that names the normalised images")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
