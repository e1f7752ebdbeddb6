"""The trials of a study: the same whatever interrupts it, and continued when more are asked for."""

import random
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from histoloom.tune import trials as module
from histoloom.tune.samplers import drawn
from histoloom.tune.space import read_space
from histoloom.tune.trials import Search, Trials
from tests.train.training_case import ROOT, environment_with
from tests.tune.fake_study import EPOCHS, SEARCHES, SPACE, opened, outcome, run_study

TOTAL = 7


@pytest.mark.parametrize("name", SEARCHES)
def test_a_study_that_was_killed_has_the_same_trials(tmp_path, name):
    undisturbed = run_study(tmp_path / "undisturbed", SEARCHES[name], TOTAL)
    killed = run_study(tmp_path / "killed", SEARCHES[name], TOTAL, {1, 6, 7, 11, 16})
    assert killed == undisturbed
    assert [row[0] for row in killed] == list(range(TOTAL))


@pytest.mark.parametrize("name", ["tpe", "qmc"])
def test_a_finished_study_is_extended_to_what_it_would_have_been(tmp_path, name):
    whole = run_study(tmp_path / "whole", SEARCHES[name], TOTAL)
    run_study(tmp_path / "extended", SEARCHES[name], 4)
    assert run_study(tmp_path / "extended", SEARCHES[name], TOTAL) == whole


def test_another_seed_gives_other_trials(tmp_path):
    one, other = (run_study(tmp_path / str(seed), Search(seed, EPOCHS), 2) for seed in range(2))
    assert one[0] == other[0]  # the config's own values
    assert one[1] != other[1]


def test_some_trials_end_behind_others_but_never_the_first(tmp_path):
    rows = run_study(tmp_path, SEARCHES["tpe"], 20)
    states = [state for _, state, *_ in rows]
    assert states[0] == "COMPLETE"
    assert {"COMPLETE", "PRUNED"} == set(states)
    assert all(len(noted) < EPOCHS for _, state, _, _, noted in rows if state == "PRUNED")


def test_the_first_trial_has_the_values_of_the_config_even_where_the_space_leaves_them_out(tmp_path):
    assert run_study(tmp_path / "inside", SEARCHES["tpe"], 1)[0][3] == {
        "train.batch_size": 4,
        "train.learning_rate": 5e-3,
        "train.patience": 3,
    }
    space = read_space({"train.learning_rate": {"low": 1.0e-2, "high": 1.0e-1}, "train.batch_size": [16, 32]})
    own = {"train.learning_rate": 5e-3, "train.batch_size": 4}
    trials = Trials(tmp_path / "outside", space, own, SEARCHES["tpe"])
    first = trials.begin(0, 2)
    assert first.values == own
    trials.score(first, 0.5, 1.0)
    second = trials.begin(0, 2).values
    assert 1e-2 <= second["train.learning_rate"] <= 1e-1
    assert second["train.batch_size"] in (16, 32)


def test_a_value_that_the_config_leaves_open_is_left_open_in_the_first_trial(tmp_path):
    space = read_space({"train.optimiser_options.eps": [1e-8, 1e-6]})
    trials = Trials(tmp_path, space, {}, SEARCHES["tpe"])
    first = trials.begin(0, 2)
    assert first.values == {}
    trials.fail(first, "diverged in epoch 1", 1.0)
    assert set(trials.begin(0, 2).values) == {"train.optimiser_options.eps"}


def test_a_worker_gets_the_trial_that_it_began_even_where_another_began_one_meanwhile(tmp_path, monkeypatch):
    # As where it stood still for so long that the other took the lock.
    mine, other = (opened(tmp_path, SEARCHES["random"]) for _ in range(2))
    monkeypatch.setattr(module, "held", lambda _: nullcontext())
    mine.begin(0, 9)
    others = []

    def meanwhile(*words):
        monkeypatch.setattr(module, "drawn", drawn)
        others.append(other.begin(1, 9))
        return drawn(*words)

    monkeypatch.setattr(module, "drawn", meanwhile)
    begun = mine.begin(0, 9)
    assert (others[0].number, begun.number) == (1, 2)
    assert begun.storage_id != others[0].storage_id
    assert [each.user_attrs["worker"] for each in mine.all()] == [0, 1, 0]


TWO = {"train.batch_size": [2, 4]}


def run_two(folder: Path, total: int, end) -> tuple[list[int], Trials]:
    """Make trials of a space of two values, each of which `end` ends; the numbers of those that were made."""
    trials = Trials(folder, read_space(TWO), {"train.batch_size": 4}, Search(0, EPOCHS, "random", {}, "none"))
    made = []
    while (trial := trials.begin(0, total)) is not None:
        made.append(trial.number)
        trials.report(trial, 1, trial.values["train.batch_size"] / 10)
        end(trials, trial)
    return made, trials


def test_values_that_a_trial_has_ended_with_are_not_trained_again(tmp_path):
    made, trials = run_two(tmp_path / "one", 9, lambda trials, trial: trials.score(trial, 0.1 * trial.number, 5.0))
    assert len(made) == 2  # as many as there are values
    rows = trials.all()
    assert [each.number for each in rows] == list(range(9))
    first = {each.user_attrs["values"]["train.batch_size"]: each for each in (rows[number] for number in made)}
    assert set(first) == {2, 4}
    for each in (row for row in rows if row.number not in made):
        twin = first[each.user_attrs["values"]["train.batch_size"]]
        assert (each.state, each.value, each.intermediate_values) == (twin.state, twin.value, twin.intermediate_values)
        assert each.user_attrs["reason"] == f"has the values of trial {twin.number}, so its end"
        assert each.user_attrs["seconds"] == 0
    # A study that is begun anew, or extended, has the same trials.
    run_two(tmp_path / "two", 4, lambda trials, trial: trials.score(trial, 0.1 * trial.number, 5.0))
    _, again = run_two(tmp_path / "two", 9, lambda trials, trial: trials.score(trial, 0.1 * trial.number, 5.0))
    assert outcome(again) == outcome(trials)


def test_equal_values_fail_or_lag_alike_but_those_of_a_trial_that_runs_are_trained(tmp_path):
    def end(trials, trial):
        return trials.score(trial, 0.1, 1.0) if trial.is_default else trials.fail(trial, "diverged in epoch 1", 1.0)

    made, trials = run_two(tmp_path / "failed", 9, end)
    assert len(made) == 2
    states = {(each.user_attrs["values"]["train.batch_size"], each.state.name) for each in trials.all()}
    assert states == {(4, "COMPLETE"), (2, "FAIL")}

    def behind(trials, trial):
        return trials.score(trial, 0.4, 1.0) if trial.is_default else trials.end_behind(trial, 1.0)

    made, trials = run_two(tmp_path / "behind", 9, behind)
    assert len(made) == 2
    assert {(each.state.name, each.value) for each in trials.all()} == {("COMPLETE", 0.4), ("PRUNED", 0.2)}
    made, _ = run_two(tmp_path / "running", 9, lambda trials, trial: None)
    assert made == list(range(9))


def test_a_score_that_is_no_number_is_not_noted(tmp_path):
    trials = opened(tmp_path, SEARCHES["tpe"])
    trial = trials.begin(0, 1)
    assert not trials.report(trial, 1, float("nan"))
    assert trials.all()[0].intermediate_values == {}


def worker(folder: Path, number: int, workers: int, total: int, pause: float) -> subprocess.Popen:
    words = ["-m", "tests.tune.fake_study", str(folder), *map(str, (number, workers, total, pause))]
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment_with(PYTHONPATH=f"{ROOT / 'scripts'}"))


def test_processes_killed_at_random_moments_leave_the_same_trials(tmp_path):
    undisturbed = run_study(tmp_path / "undisturbed", SEARCHES["tpe"], TOTAL)
    draw, folder = random.Random(0), tmp_path / "killed"
    for _ in range(3):
        running = worker(folder, 0, 1, TOTAL, 0.1)
        while not (folder / "journal.log").exists() and running.poll() is None:
            time.sleep(0.02)
        time.sleep(draw.uniform(0.1, 0.8))
        running.send_signal(signal.SIGKILL)
        running.wait()
    last = worker(folder, 0, 1, TOTAL, 0.0)
    assert last.wait(60) == 0
    assert outcome(opened(folder, SEARCHES["tpe"])) == undisturbed


def test_workers_share_the_trials_and_one_takes_over_those_of_a_worker_that_is_no_more(tmp_path):
    gone = opened(tmp_path, SEARCHES["tpe"]).begin(5, 8)  # of a worker 5 that was killed, and is not started again
    both = [worker(tmp_path, number, 2, 8, 0.05) for number in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    trials = opened(tmp_path, SEARCHES["tpe"]).all()
    assert [each.number for each in trials] == list(range(8))
    assert all(each.state.is_finished() for each in trials)
    assert trials[gone.number].user_attrs["worker"] == 5
    assert {each.user_attrs["worker"] for each in trials} == {0, 1, 5}


def test_values_of_a_trial_are_known_at_once_or_not_at_all(tmp_path):
    # Cut after each line, as a kill between two steps would: no trial ever has some of its values.
    run_study(tmp_path / "whole", SEARCHES["tpe"], 2)
    lines = (tmp_path / "whole" / "journal.log").read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines)):
        folder = tmp_path / str(count)
        folder.mkdir()
        (folder / "journal.log").write_bytes(b"".join(lines[:count]))
        for each in opened(folder, SEARCHES["tpe"]).all():
            assert sorted(each.params) == sorted(each.user_attrs["values"]) == sorted(SPACE)
