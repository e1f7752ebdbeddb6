"""Turn the counts of all architectures and folds of a dataset into tables: scores, means and comparisons."""

import argparse
import sys
from pathlib import Path

import numpy as np

from histoloom.errors import InputError, run
from histoloom.evaluate.bootstrap import resample
from histoloom.evaluate.comparison import COMPARISON_COLUMNS, comparison_rows
from histoloom.evaluate.divergence import diverged_folds
from histoloom.evaluate.scores import PAIRS, check_classes, fact
from histoloom.evaluate.stored_counts import read_counts
from histoloom.evaluate.summary import SCORE_COLUMNS, SUMMARY_COLUMNS, score_rows, summary_rows
from histoloom.files import write_table
from histoloom.prepared import read_description


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=Path, nargs="+", required=True, help="CSVs of counts, any folds and models.")
    parser.add_argument("--history", type=Path, nargs="*", default=[], help="history.csv of each model and fold.")
    parser.add_argument("--dataset", type=Path, required=True, help="JSON that describes the prepared dataset.")
    parser.add_argument("--baseline", nargs="*", default=[], help="Names of the architectures that need no training.")
    parser.add_argument("--metric", nargs="+", required=True, help="Names of the metrics, in the order of the tables.")
    parser.add_argument("--bootstrap", type=int, required=True, help="Number of resamples for the intervals.")
    parser.add_argument("--seed", type=int, required=True, help="Seed of the resampling.")
    parser.add_argument("--scores", type=Path, required=True, help="CSV of each image's scores to write.")
    parser.add_argument("--summary", type=Path, required=True, help="CSV of means and intervals to write.")
    parser.add_argument("--comparison", type=Path, required=True, help="CSV of paired differences to write.")
    arguments = parser.parse_args()

    description = read_description(arguments.dataset)
    classes, baselines = description.classes, arguments.baseline
    check_classes(classes)
    counts = read_counts(arguments.counts, len(classes))
    architectures = [part.architecture for part in counts]
    if unknown := [name for name in baselines if name not in architectures]:
        raise InputError(f"--baseline: no counts of '{unknown[0]}'; expected one of {', '.join(architectures)}")
    metrics = [name for name in arguments.metric if description.has_instances or fact(name) != PAIRS]
    if left_out := [name for name in arguments.metric if name not in metrics]:
        print(f"{description.name} has no nuclei: {', '.join(left_out)} left out", file=sys.stderr)

    groups = [group for part in counts for group in part.images["group"]]
    resampling = resample(groups, arguments.bootstrap, np.random.default_rng(arguments.seed))
    kinds = {name: "baseline" if name in baselines else "model" for name in architectures}
    scores = (row for part in counts for row in score_rows(part, metrics, classes))
    write_table(arguments.scores, SCORE_COLUMNS, scores)
    skipped, diverged = description.skipped, diverged_folds(arguments.history)
    summary = (
        row
        for part in counts
        for row in summary_rows(
            part,
            kinds[part.architecture],
            metrics,
            classes,
            resampling,
            skipped,
            diverged.get(part.architecture, ()),
        )
    )
    write_table(arguments.summary, SUMMARY_COLUMNS, summary)
    comparison = comparison_rows(counts, baselines, metrics, classes, resampling, skipped)
    write_table(arguments.comparison, COMPARISON_COLUMNS, comparison)


if __name__ == "__main__":
    run(main)
