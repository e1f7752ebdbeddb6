"""A study whose trials are no trainings but a formula, so that many of them can be made, killed and compared."""

import math
import sys
import time
from pathlib import Path

from histoloom.lease import leased
from histoloom.tune.space import own_values, read_space
from histoloom.tune.trials import Search, Trial, Trials
from histoloom.tune.worker import lease_folder, make_trials

EPOCHS = 4
SPACE = {
    "train.learning_rate": {"low": 1.0e-4, "high": 1.0e-1, "log": True},
    "train.batch_size": [2, 4, 8],
    "train.patience": {"low": 0, "high": 9},
}
VALUES = {"train": {"learning_rate": 5e-3, "batch_size": 4, "patience": 3}, "augment": {}}
SEARCHES = {
    "tpe": Search(0, EPOCHS, "tpe", {"n_startup_trials": 4}, "median", {"n_startup_trials": 3}),
    "random": Search(0, EPOCHS, "random", {}, "hyperband", {}),
    "qmc": Search(0, EPOCHS, "qmc", {"scramble": True}, "none", {}),
    "gp": Search(0, EPOCHS, "gp", {"n_startup_trials": 5}, "percentile", {"percentile": 50.0}),
}


class KilledError(Exception):
    """Stands for SIGKILL: nothing that a worker would still do is done."""


def opened(folder: Path, search: Search) -> Trials:
    return Trials(folder, read_space(SPACE), own_values(VALUES, SPACE), search, grace_seconds=3)


def score_after(values: dict, epoch: int) -> float:
    """Best at a rate of 0.01 and small batches; rises with the epochs."""
    return 1 - (math.log10(values["train.learning_rate"]) + 2) ** 2 / 9 - values["train.batch_size"] / 50 - 0.1 / epoch


def make(trials: Trials, trial: Trial, kills: set[int] = frozenset(), steps: list[int] | None = None) -> None:
    """Train by the formula, being killed at some of the steps, which are counted over all calls in `steps`."""
    steps = [0] if steps is None else steps
    for epoch in range(1, EPOCHS + 1):
        steps[0] += 1
        if steps[0] in kills:
            raise KilledError
        if trials.report(trial, epoch, score_after(trial.values, epoch)) and epoch < EPOCHS:
            trials.end_behind(trial, 1.0)
            return
    trials.score(trial, score_after(trial.values, EPOCHS), 1.0)


def run_study(folder: Path, search: Search, total: int, kills: set[int] = frozenset()) -> list[tuple]:
    """Make trials by one worker, started again after each kill; what came of each."""
    steps = [0]
    while True:
        trials = opened(folder, search)
        try:
            make_trials(trials, 0, 1, total, folder, lambda trial, of=trials: make(of, trial, kills, steps))
        except KilledError:
            continue
        return outcome(trials)


def outcome(trials: Trials) -> list[tuple]:
    """All that a study says of its trials, but for when they were made."""
    return [
        (each.number, each.state.name, each.value, each.user_attrs["values"], each.intermediate_values)
        for each in trials.all()
    ]


def work(folder: Path, worker: int, workers: int, total: int, pause: float) -> None:
    """Be one worker, in a process of its own, whose trials take a while."""
    with leased(lease_folder(folder, worker)):
        trials = opened(folder, SEARCHES["tpe"])

        def slowly(trial: Trial) -> None:
            time.sleep(pause)
            make(trials, trial)
            time.sleep(pause)

        make_trials(trials, worker, workers, total, folder, slowly)


if __name__ == "__main__":
    work(Path(sys.argv[1]), *map(int, sys.argv[2:5]), float(sys.argv[5]))
