"""Score the predictions of any program against truth: the tables of the workflow, without training or Snakemake."""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from histoloom.class_names import check_classes
from histoloom.errors import run
from histoloom.evaluate.counting.facts import SIZES
from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.scoring.counting import Lengths, count_side, pairs_of
from histoloom.evaluate.scoring.known_images import known_images
from histoloom.evaluate.scoring.options import chosen_classes, named_paths, paths_of_models, with_companions
from histoloom.evaluate.scoring.reading import Reading
from histoloom.evaluate.scoring.short_table import short_table
from histoloom.evaluate.scoring.sides import FORMS, Side, open_side
from histoloom.evaluate.scoring.wanted import facts_of, wanted_metrics
from histoloom.evaluate.statistics.bootstrap import Resampling, resample
from histoloom.evaluate.tables.comparison import COMPARISON_COLUMNS, comparison_rows
from histoloom.evaluate.tables.ranking import RANKING_COLUMNS, ranking_rows
from histoloom.evaluate.tables.sizes import SIZE_COLUMNS, size_rows
from histoloom.evaluate.tables.strata import STRATA_COLUMNS, strata_rows
from histoloom.evaluate.tables.summary import SCORE_KEYS, SUMMARY_COLUMNS, score_rows, summary_rows
from histoloom.files import write_table
from histoloom.prepare.reading.class_map import class_map
from histoloom.study.merging import read_config

CONFIG = Path(__file__).parents[1] / "config" / "config.yaml"  # whose lengths and resamples are the defaults here too


def main() -> None:
    args = parse()
    truth, predictions, classes = open_sides(args)
    metrics = wanted_metrics(args.metric, truth, list(predictions.values()))
    counts = count(args, truth, predictions, classes, metrics)
    groups = counts[0].images["group"]
    print(f"images: {len(groups)}; groups, which the intervals resample: {groups.nunique()}", file=sys.stderr)
    resampling = resample(groups, args.bootstrap, np.random.default_rng(args.seed))
    summary = [row for part in counts for row in summary_rows(part, "model", metrics, classes, resampling)]
    write_table(args.out / "summary.csv", SUMMARY_COLUMNS, summary)
    write_others(args.out, counts, metrics, classes, resampling)
    print(short_table(summary, classes))


def open_sides(args: argparse.Namespace) -> tuple[Side, dict[str, Side], tuple[str, ...]]:
    size = tuple(args.image_size) if args.image_size else None
    shared = {"names": class_map(args.class_names), "size": size}
    truth = Reading((), True, args.truth_format, args.truth_ending, **shared)
    has_companions = bool(args.truth_masks or args.truth_table)
    classes = chosen_classes(args.classes, args.class_values, args.truth, truth, has_companions)
    check_classes(classes)
    truth = Reading(classes, True, args.truth_format, args.truth_ending, **shared)
    truth_side = open_side(args.truth, with_companions(truth, args.truth_masks, args.truth_table, args.class_values))
    print(f"classes {', '.join(classes)}\ntruth {truth_side}", file=sys.stderr)

    paths = named_paths(args.prediction)
    masks, tables = (
        paths_of_models(words, list(paths), flag)
        for words, flag in (
            (args.prediction_masks, "--prediction-masks"),
            (args.prediction_table, "--prediction-table"),
        )
    )
    predicted = Reading(classes, False, args.prediction_format, args.prediction_ending, **shared)
    codes = args.prediction_values or args.class_values
    sides = {
        name: open_side(path, with_companions(predicted, masks.get(name), tables.get(name), codes))
        for name, path in paths.items()
    }
    for name, side in sides.items():
        print(f"{name} {side}", file=sys.stderr)
    return truth_side, sides, classes


def count(
    args: argparse.Namespace, truth: Side, predictions: dict[str, Side], classes: tuple[str, ...], metrics: list[str]
) -> list[Counts]:
    known = known_images(list(truth.images), args.groups, args.strata, args.mpp)
    lengths = Lengths(args.boundary_tolerance_um, args.detection_radius_um, tuple(args.nucleus_sizes_um2))
    pairs = {name: pairs_of(truth, side, args.allow_missing_predictions) for name, side in predictions.items()}
    counts = []
    for name, side in predictions.items():
        if missing := sum(partner is None for partner in pairs[name].values()):
            print(f"{name}: images without prediction, scored as nothing found: {missing}", file=sys.stderr)
        images = tqdm(pairs[name].items(), desc=name, unit="image", disable=None)
        labels, facts = (args.dataset or args.truth.stem, name), facts_of(metrics)
        counts.append(count_side(truth, side, images, known, labels, len(classes), facts, lengths))
    return counts


def write_others(
    out: Path, counts: list[Counts], metrics: list[str], classes: tuple[str, ...], resampling: Resampling
) -> None:
    scores = (row for part in counts for row in score_rows(part, metrics, classes))
    write_table(out / "scores.csv", (*SCORE_KEYS, *metrics), scores)
    strata = (row for part in counts for row in strata_rows(part, "model", metrics, classes, resampling))
    write_table(out / "strata.csv", STRATA_COLUMNS, strata)
    sizes = (row for part in counts if SIZES in part.facts for row in size_rows(part, "model", resampling))
    write_table(out / "sizes.csv", SIZE_COLUMNS, sizes)
    write_table(out / "comparison.csv", COMPARISON_COLUMNS, comparison_rows(counts, [], metrics, classes, resampling))
    several = counts if len(counts) > 1 else []  # one model alone has no rank
    write_table(out / "ranking.csv", RANKING_COLUMNS, ranking_rows(several, metrics, classes, resampling))


def parse() -> argparse.Namespace:
    defaults = read_config([CONFIG], {})
    evaluate = defaults["evaluate"]
    parser = argparse.ArgumentParser(description=__doc__, epilog="docs/scoring.md has examples for each program.")
    add, sizes = parser.add_argument, evaluate["nucleus_sizes_um2"]
    add("--truth", type=Path, required=True, help="folder, array or file of annotated images")
    add("--prediction", nargs="+", required=True, help="the same of predictions, as PATH or NAME=PATH; several compare")
    add("--out", type=Path, required=True, help="folder to write the tables into")
    add("--dataset", default="", help="name of the dataset in the tables; else that of --truth")
    add("--classes", nargs="+", default=[], help="names of the classes, background first")
    add("--class-values", nargs="+", default=[], help="what masks hold, as background=0 nucleus=255 or tumour=#ff0000")
    add("--prediction-values", nargs="+", default=[], help="the same of predictions, where theirs differ")
    add("--class-names", nargs="+", default=[], help="names in GeoJSON and tables, as Tumor=tumour Fold=ignore")
    add("--truth-format", choices=FORMS, help="format of the truth, where it should not be found out")
    add("--prediction-format", choices=FORMS, help="format of the predictions, where it should not be found out")
    add("--truth-ending", default="", help="how names of truth end before the suffix, as _mask")
    add("--prediction-ending", default="", help="how names of predictions end before the suffix, as _cp_masks")
    add(
        "--truth-masks",
        type=Path,
        help="folder of class masks beside label images: nuclei have the class of most pixels",
    )
    add("--prediction-masks", nargs="+", default=[], help="the same of predictions, as PATH or NAME=PATH")
    add("--truth-table", type=Path, help="CSV with the columns image, id, class of the nuclei in label images")
    add("--prediction-table", nargs="+", default=[], help="the same of predictions, as PATH or NAME=PATH")
    add("--image-size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="of all images, where no file tells it")
    add(
        "--groups",
        type=Path,
        help="CSV with the columns name, group (patient), stratum, mpp; else each image is a group",
    )
    add("--strata", type=Path, help="array of tissue names in the order of the images, as PanNuke's types.npy")
    add("--mpp", type=float, help="micrometres per pixel of all images; unknown: distances are in pixels")
    add("--allow-missing-predictions", action="store_true", help="score images without one as if nothing was found")
    add("--metric", nargs="+", default=[], help="files in scripts/histoloom/metrics; else all that the files allow")
    add("--boundary-tolerance-um", type=float, default=evaluate["boundary_tolerance_um"], help="as in config.yaml")
    add("--detection-radius-um", type=float, default=evaluate["detection_radius_um"], help="as in config.yaml")
    add("--nucleus-sizes-um2", type=float, nargs="*", default=sizes, help="as in config.yaml")
    add("--bootstrap", type=int, default=evaluate["bootstrap"], help="number of resamples for the intervals")
    add("--seed", type=int, default=defaults["study"]["seed"], help="seed of the resampling")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
