"""Share the images of a prepared dataset out among folds and parts, refuse leaks and say what the parts lack."""

import argparse
from dataclasses import astuple
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.files import write_table
from histoloom.findings import FINDING_COLUMNS, Finding
from histoloom.prepare.duplicates.pairs import Duplicate, read_duplicates
from histoloom.prepared import Description, read_description, read_index
from histoloom.split.folds.clusters import check_known, joined_groups, pictures_of
from histoloom.split.folds.fold_findings import blank_findings, fold_findings, joined_findings, repeat_findings
from histoloom.split.folds.leaks import check_leaks, near_findings, parted_groups
from histoloom.split.folds.lists import split_list
from histoloom.split.folds.members import FOLD_COLUMNS, Member
from histoloom.split.folds.splits import (
    Material,
    split_grouped,
    split_images,
    split_official,
    split_proportions,
)
from histoloom.split.folds.strata import STRATIFY, read_class_pixels

DRAWN = ("grouped", "proportions", "images")  # the schemes that deal groups or images out themselves


def main() -> None:
    arguments = parse()
    description = read_description(arguments.dataset)
    try:
        members, findings = share_out(arguments, description)
    except InputError as error:  # of a study's datasets, the one in question
        raise InputError(f"dataset '{description.name}': {error}") from error
    write_table(arguments.folds, FOLD_COLUMNS, map(astuple, members))
    write_table(arguments.fold_findings, FINDING_COLUMNS, map(astuple, findings))


def share_out(arguments: argparse.Namespace, description: Description) -> tuple[list[Member], list[Finding]]:
    check_choices(arguments)
    material, duplicates = read_material(arguments, description)
    members = split(arguments, material)
    findings = joined_findings(material.joined) + blank_findings(duplicates)
    if arguments.near_duplicates == "warn":
        findings += near_findings(members, material.index, duplicates)
        duplicates = [pair for pair in duplicates if pair.kind != "near"]
    check_leaks(members, material.index, duplicates, may_part_groups=arguments.scheme == "images")
    findings += parted_groups(members)
    findings += fold_findings(members, material.index, description.classes, material.pixels)
    findings += repeat_findings(members, arguments.fold_count if arguments.scheme != "proportions" else 1)
    return members, findings


def check_choices(arguments: argparse.Namespace) -> None:
    if arguments.scheme not in DRAWN and arguments.near_duplicates == "join":
        raise InputError(
            f"split.near_duplicates: join with split.scheme: {arguments.scheme}; expected stop or warn, since that "
            "scheme's parts are given and groups cannot be moved; choose one of these, or scheme grouped"
        )
    if arguments.scheme not in DRAWN and arguments.repeats != 1:
        raise InputError(
            f"split.repeats: {arguments.repeats} with split.scheme: {arguments.scheme}; expected 1, since nothing is "
            "drawn; set it to 1, or scheme grouped or proportions"
        )
    if arguments.scheme == "list" and arguments.list is None:
        raise InputError("split.list: not set; expected a CSV with columns name,part for split.scheme: list; set it")


def read_material(arguments: argparse.Namespace, description: Description) -> tuple[Material, list[Duplicate]]:
    index = read_index(arguments.index)
    pixels = read_class_pixels(arguments.measures, len(description.classes), index)
    duplicates = read_duplicates(arguments.duplicates, description.name)
    check_known(index, duplicates)
    joined = joined_groups(index, duplicates) if arguments.near_duplicates == "join" else {}
    material = Material(index, joined, pictures_of(index, duplicates), pixels, arguments.stratify)
    return material, duplicates


def split(arguments: argparse.Namespace, material: Material) -> list[Member]:
    validation = {"validation": arguments.validation, "validation_fraction": arguments.validation_fraction}
    if arguments.scheme == "official":
        return split_official(material.index, arguments.fold_count)
    if arguments.scheme == "list":
        return split_list(material.index, arguments.list, arguments.fold_count)
    drawn = {"repeats": arguments.repeats, "seed": arguments.seed, **validation}
    if arguments.scheme == "proportions":
        return split_proportions(material, test_fraction=arguments.test_fraction, **drawn)
    deal_out = split_images if arguments.scheme == "images" else split_grouped
    return deal_out(material, arguments.fold_count, **drawn)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--index", type=Path, required=True, help="Table of the prepared images (CSV).")
    add("--measures", type=Path, required=True, help="Table of what inspection measured in each image (CSV).")
    add("--duplicates", type=Path, required=True, help="Table of images that show one picture (CSV).")
    add("--dataset", type=Path, required=True, help="Description of the dataset (JSON).")
    add(
        "--scheme",
        choices=("grouped", "official", "list", "proportions", "images"),
        required=True,
        help="K folds of groups, PanNuke's official rotation, a list of your own, shares for train, val and test, or k "
        "folds of images whatever their group, which leaks.",
    )
    add("--fold-count", type=int, required=True, help="Number of folds (official: at most 3; proportions: unused).")
    add("--repeats", type=int, default=1, help="Number of draws, at least 1 (grouped, proportions and images only).")
    # Snakemake leaves the word out where there is no such file.
    add("--list", type=Path, nargs="?", help="Parts of the images: name,part or name,fold,part (CSV; list only).")
    add("--test-fraction", type=float, default=0.2, help="Share of all images to test, 0 to 1 (proportions only).")
    add("--validation", choices=("groups", "images"), required=True, help="What is held out to validate by.")
    add(
        "--validation-fraction",
        type=float,
        required=True,
        help="Share to validate by, 0 to 1: of the images not tested (grouped, by images) or of all (proportions).",
    )
    add(
        "--stratify", nargs="*", choices=STRATIFY, default=[], help="What every part gets its share of, besides images."
    )
    add(
        "--near-duplicates",
        choices=("stop", "join", "warn"),
        default="stop",
        help="What near duplicates in two parts do; join keeps their groups together beforehand.",
    )
    add("--seed", type=int, required=True, help="Number that the draws hang on.")
    add("--folds", type=Path, required=True, help="Table of folds to write (CSV).")
    add("--fold-findings", type=Path, required=True, help="Table of what the parts lack to write (CSV).")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
