"""Choose the best of a study's trials, and tell of all: tables, how much each value mattered, and how sure the gain is.

What is chosen is written as values by their dotted names, which training then takes in place of the config's own.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import optuna

from histoloom.errors import InputError, run
from histoloom.files import write_json, write_table
from histoloom.prepared import read_table
from histoloom.tune.choice import COLUMNS, IMPORTANCE_COLUMNS, best_of, ended, importances, table
from histoloom.tune.gain import COLUMNS as GAIN_COLUMNS
from histoloom.tune.gain import gain_of
from histoloom.tune.journal import opened
from histoloom.tune.samplers import NAME


def main() -> None:
    arguments = parse()
    journal = journal_of(arguments.worker)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    every = optuna.load_study(storage=opened(journal), study_name=NAME).get_trials(deepcopy=False)
    trials = ended(every, arguments.trials, str(journal))
    found = best_of(trials, str(journal))
    names = sorted(arguments.name)
    write_table(arguments.table, [*COLUMNS, *names], table(trials, names))
    write_table(arguments.importances, IMPORTANCE_COLUMNS, list(importances(trials).items()))
    group_of = {row["name"]: row["group"] for row in read_table(arguments.folds)}
    default = found.default.number if found.default else None
    score, rng = (arguments.metric, arguments.score_class), np.random.default_rng(arguments.seed)
    rows = gain_of(found.best.number, default, journal.parent, group_of, score, arguments.bootstrap, rng)
    write_table(arguments.gain, GAIN_COLUMNS, rows)
    write_json(arguments.tuned, found.facts())


def journal_of(reports: list[Path]) -> Path:
    """The one journal that all workers wrote to; raises InputError where they did not share one."""
    journals = {json.loads(report.read_text(encoding="utf-8"))["journal"] for report in reports}
    if len(journals) != 1:
        raise InputError(
            f"{reports[0].parent}: the workers wrote to {len(journals)} journals; expected one; remove their reports "
            "(worker*.json) and run again"
        )
    return Path(journals.pop())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--worker", type=Path, nargs="+", required=True, metavar="JSON", help="reports of the workers")
    parser.add_argument("--trials", type=int, required=True, help="how many trials count, from the first on")
    parser.add_argument("--name", nargs="+", required=True, help="dotted names of the values that were sought")
    parser.add_argument("--folds", type=Path, required=True, metavar="CSV", help="the group of each image")
    parser.add_argument("--metric", required=True, help="metric of the score, as training has it")
    parser.add_argument("--score-class", required=True, help="class of the score: foreground or mean")
    parser.add_argument("--bootstrap", type=int, required=True, help="resamples of the groups for each interval")
    parser.add_argument("--seed", type=int, required=True, help="seed of the resamples")
    parser.add_argument("--tuned", type=Path, required=True, metavar="JSON", help="the best values, to write")
    parser.add_argument("--table", type=Path, required=True, metavar="CSV", help="all trials, to write")
    parser.add_argument("--importances", type=Path, required=True, metavar="CSV", help="of each value, to write")
    parser.add_argument("--gain", type=Path, required=True, metavar="CSV", help="best against default, to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
