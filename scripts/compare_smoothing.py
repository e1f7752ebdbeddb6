"""Score ways of smoothing and cleaning regions, and overlaps of tiles, on the validation images of a fold."""

import argparse
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from histoloom.arguments import add_flags, settings_among
from histoloom.class_names import check_classes
from histoloom.errors import InputError, run
from histoloom.files import write_table
from histoloom.plugins import names
from histoloom.predict.regions.comparison import confusions, mean_scores, tried_settings
from histoloom.predict.regions.settings import RegionSettings
from histoloom.predict.thresholds import KIND, read_thresholds
from histoloom.prepared import part_rows, read_description


def main() -> None:
    args = parse()
    classes, table = read_description(args.dataset).classes, []
    check_classes(classes)
    settings = tried_settings(settings_among(args, RegionSettings), args.tried)
    min_area_px = read_thresholds(args.settings, args.method).min_area_px
    rows = part_rows(args.index, args.folds, args.fold, "val")
    if not rows:
        raise InputError(f"{args.folds}: fold {args.fold} has no validation image; expected one; see split.validation")
    for overlap, folder in zip(args.overlap, args.probabilities, strict=True):
        images = tqdm(rows, desc=f"overlap {overlap}", unit="image", disable=None)
        counts = np.stack([confusions(row, folder, len(classes), settings, min_area_px) for row in images])
        scores = mean_scores(args.metric, counts, classes, args.score_class)
        table += [(overlap, *astuple(each), len(rows), *found) for each, found in zip(settings, scores, strict=True)]
    columns = ("overlap", *(each.name for each in fields(RegionSettings)), "images", *args.metric)
    write_table(args.table, columns, table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv: which image is in which part")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold, from 0")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset.json of the prepared dataset")
    parser.add_argument("--overlap", type=int, nargs="+", required=True, help="overlaps, one for each folder")
    parser.add_argument("--probabilities", type=Path, nargs="+", required=True, help="folders of <name>.npy")
    parser.add_argument("--method", choices=names(KIND), required=True, help="how touching nuclei are separated")
    parser.add_argument("--settings", type=Path, required=True, help="postprocess.json, for its min_area_px")
    add_flags(parser, RegionSettings)
    parser.add_argument("--tried", nargs="*", default=[], help="settings to compare with these: dicts of what is on")
    parser.add_argument("--metric", nargs="+", required=True, help="metrics of pixels, in the order of the table")
    parser.add_argument("--score-class", required=True, help="foreground, mean, or the name of a class")
    parser.add_argument("--table", type=Path, required=True, help="CSV to write a row for each combination into")
    args = parser.parse_args()
    if len(args.overlap) != len(args.probabilities):
        parser.error(f"{len(args.overlap)} overlaps for {len(args.probabilities)} folders; expected as many")
    return args


if __name__ == "__main__":
    run(main)
