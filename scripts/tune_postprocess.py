"""Choose the options of post-processing on the validation images of a fold; its test images are not read."""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from histoloom.arguments import pair
from histoloom.errors import run
from histoloom.files import write_json, write_table
from histoloom.plugins import load, names
from histoloom.predict.thresholds import KIND, MIN_AREA, candidates, configured_options, decided, untuned
from histoloom.predict.tuning import count_pairs, metric_of_nuclei, pooled_scores, read_validation, why_untuned
from histoloom.prepared import part_rows, read_description


def main() -> None:
    args = parse()
    configured = configured_options(args.method, dict(args.option), args.min_area_px)
    tried = candidates(configured, dict(args.tried))
    metric_of_nuclei(args.metric)  # refuses a metric of pixels before anything is computed
    rows = part_rows(args.index, args.folds, args.fold, "val")
    if reason := why_untuned(rows, args.probabilities):
        thresholds, table = untuned(args.method, configured, args.metric, reason), []
    else:
        postprocess, classes = load(KIND, args.method), read_description(args.dataset).classes
        images = read_validation(rows, args.probabilities, args.maps, len(classes))
        progress = tqdm(images, desc="tune", unit="image", disable=None)
        counts = [count_pairs(image, tried, postprocess) for image in progress]
        scores = pooled_scores(args.metric, np.sum(counts, axis=0))
        thresholds = decided(args.method, args.metric, scores, tried, configured, len(counts))
        best = {**thresholds.options, MIN_AREA: thresholds.min_area_px} if thresholds.tuned else None
        table = [(*each.values(), score, each == best) for each, score in zip(tried, scores.tolist(), strict=True)]
    write_json(args.settings, asdict(thresholds))
    write_table(args.table, (*configured, "score", "best"), table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", choices=names(KIND), required=True, help="how touching nuclei are separated")
    parser.add_argument("--option", nargs="*", type=pair, default=[], help="the method's options, key=value")
    parser.add_argument("--min-area-px", type=int, required=True, help="smallest nucleus that is kept, in pixels")
    parser.add_argument("--tried", nargs="+", type=pair, required=True, help="values to try, key=[value, ...]")
    parser.add_argument("--metric", required=True, help="metric of nuclei that chooses")
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv: which image is in which part")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold, from 0")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset.json of the prepared dataset")
    parser.add_argument("--probabilities", type=Path, nargs="?", help="folder of validation images' <name>.npy, if any")
    parser.add_argument("--maps", type=Path, nargs="?", help="folder of their instance maps <name>.npy, if any")
    parser.add_argument("--settings", type=Path, required=True, help="JSON to write the chosen options into")
    parser.add_argument("--table", type=Path, required=True, help="CSV to write the score of each combination into")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
