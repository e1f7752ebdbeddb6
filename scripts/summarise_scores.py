"""Turn the counts of all predictions of a dataset into its tables: scores, means, comparisons, ranks, strata, costs."""

import argparse
import ast
import sys
from itertools import chain
from pathlib import Path

import numpy as np

from histoloom.arguments import pair
from histoloom.class_names import ALL, FOREGROUND, MEAN, check_classes
from histoloom.errors import InputError, run
from histoloom.evaluate.counting.facts import FACTS, NUCLEI, SIZES
from histoloom.evaluate.counting.stored_counts import Counts, read_counts
from histoloom.evaluate.scores import fact
from histoloom.evaluate.statistics.bootstrap import Resampling, resample
from histoloom.evaluate.tables.comparison import COMPARISON_COLUMNS, comparison_rows
from histoloom.evaluate.tables.costs import COST_COLUMNS, cost_rows
from histoloom.evaluate.tables.divergence import diverged_folds
from histoloom.evaluate.tables.fold_spread import SPREAD_COLUMNS, spread_rows
from histoloom.evaluate.tables.published import published_rows
from histoloom.evaluate.tables.ranking import RANKING_COLUMNS, ranking_rows
from histoloom.evaluate.tables.sizes import SIZE_COLUMNS, size_rows
from histoloom.evaluate.tables.strata import STRATA_COLUMNS, strata_rows
from histoloom.evaluate.tables.summary import SCORE_KEYS, SUMMARY_COLUMNS, score_rows, summary_rows
from histoloom.files import write_table
from histoloom.prepared import Description, read_description


def main() -> None:
    args = parse()
    description = read_description(args.dataset)
    check_classes(description.classes)
    counts = read_counts(args.counts, len(description.classes))
    kinds = kinds_of(counts, args)
    metrics = metrics_of(description, args.metric)
    groups = [group for part in counts for group in part.images["group"]]
    resampling = resample(groups, args.bootstrap, np.random.default_rng(args.seed))
    write_scores(args, counts, kinds, metrics, description, resampling)
    write_others(args, counts, kinds, metrics, description.classes, resampling)


def write_scores(
    args: argparse.Namespace,
    counts: list[Counts],
    kinds: dict[str, str],
    metrics: list[str],
    description: Description,
    resampling: Resampling,
) -> None:
    classes, skipped = description.classes, description.skipped
    write_table(
        args.scores, (*SCORE_KEYS, *metrics), (row for part in counts for row in score_rows(part, metrics, classes))
    )
    diverged = diverged_folds(args.history)
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
            [*args.remark, *(text for name, text in args.model_remark if name == part.architecture)],
        )
    )
    published = published_rows(
        description.name, list(map(ast.literal_eval, args.published)), list(kinds), {FOREGROUND, MEAN, ALL, *classes}
    )
    write_table(args.summary, SUMMARY_COLUMNS, chain(summary, published))
    others = [name for name, kind in kinds.items() if kind != "model"]
    comparison = comparison_rows(counts, others, metrics, classes, resampling, skipped)
    write_table(args.comparison, COMPARISON_COLUMNS, comparison)


def write_others(
    args: argparse.Namespace,
    counts: list[Counts],
    kinds: dict[str, str],
    metrics: list[str],
    classes: tuple[str, ...],
    resampling: Resampling,
) -> None:
    by_kind = [(part, kinds[part.architecture]) for part in counts]
    models = [part for part, kind in by_kind if kind == "model"]
    write_table(args.ranking, RANKING_COLUMNS, ranking_rows(models, metrics, classes, resampling))
    strata = (row for part, kind in by_kind for row in strata_rows(part, kind, metrics, classes, resampling))
    write_table(args.strata, STRATA_COLUMNS, strata)
    sizes = (row for part, kind in by_kind if SIZES in part.facts for row in size_rows(part, kind, resampling))
    write_table(args.sizes, SIZE_COLUMNS, sizes)
    spread = (row for part, kind in by_kind for row in spread_rows(part, kind, metrics, classes))
    write_table(args.fold_spread, SPREAD_COLUMNS, spread)
    write_table(args.costs, COST_COLUMNS, cost_rows(counts[0].dataset, kinds, args.cost, args.history))


def kinds_of(counts: list[Counts], args: argparse.Namespace) -> dict[str, str]:
    named = {**dict.fromkeys(args.baseline, "baseline"), **dict.fromkeys(args.human, "human")}
    architectures = [part.architecture for part in counts]
    if unknown := [name for name in named if name not in architectures]:
        raise InputError(
            f"--{named[unknown[0]]}: no counts of '{unknown[0]}'; expected one of {', '.join(architectures)}"
        )
    return {name: named.get(name, "model") for name in architectures}


def metrics_of(description: Description, asked: list[str]) -> list[str]:
    metrics = [name for name in asked if description.has_instances or FACTS[fact(name)].needs != NUCLEI]
    if left_out := [name for name in asked if name not in metrics]:
        print(f"{description.name} has no nuclei: {', '.join(left_out)} left out", file=sys.stderr)
    return metrics


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--counts", type=Path, nargs="+", required=True, help="Counts of any folds and predictors.")
    add("--history", type=Path, nargs="*", default=[], help="history.csv of each model and fold.")
    add("--cost", type=Path, nargs="*", default=[], help="cost.json of each model and fold.")
    add("--dataset", type=Path, required=True, help="JSON that describes the prepared dataset.")
    add("--baseline", nargs="*", default=[], help="Names of the predictors that need no training.")
    add("--human", nargs="*", default=[], help="Names of the predictors that are people.")
    add("--metric", nargs="+", required=True, help="Names of the metrics, in the order of the tables.")
    add("--published", nargs="*", default=[], help="Figures of papers, each a dict as text.")
    add("--bootstrap", type=int, required=True, help="Number of resamples for the intervals.")
    add("--remark", nargs="*", default=[], help="What to read every score with, added to its definition.")
    add("--model-remark", nargs="*", type=pair, default=[], help="The same of one architecture, name=text.")
    add("--seed", type=int, required=True, help="Seed of the resampling.")
    add("--scores", type=Path, required=True, help="CSV of each image's scores to write.")
    add("--summary", type=Path, required=True, help="CSV of means and intervals to write.")
    add("--comparison", type=Path, required=True, help="CSV of paired differences to write.")
    add("--ranking", type=Path, required=True, help="CSV of ranks and chances of being best to write.")
    add("--strata", type=Path, required=True, help="CSV of means of each stratum to write.")
    add("--sizes", type=Path, required=True, help="CSV of scores by size of the nuclei to write.")
    add("--fold-spread", type=Path, required=True, help="CSV of the spread between folds to write.")
    add("--costs", type=Path, required=True, help="CSV of seconds, memory and parameters to write.")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
