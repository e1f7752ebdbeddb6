"""A worker with trainings that are processes: what it makes of their scores, of their ends, and of its own."""

import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from histoloom.errors import HeldError, InputError, StoppedError
from histoloom.train.scores import write_scores
from histoloom.tune.space import own_values, read_space
from histoloom.tune.trials import Search, Trials, confusions_of
from histoloom.tune.worker import KILLS, Maker, clear_ended, make_trials
from tests.train.training_case import ROOT
from tests.tune import fake_training as fake

WORDS = ["-m", "tests.tune.fake_training"]
SLOW_START = 20  # seconds until a process has started on a busy machine, at most


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """Trainings are started where the tests are."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "scripts"))


class Worker:
    """A worker on a study whose first trial has the first rate, and whose others have the second one."""

    def __init__(self, folder: Path, first: float, other: float, **search) -> None:
        space = {"train.learning_rate": [other, other + 1e-9]}
        values = {"train": {"learning_rate": first}, "augment": {}}
        search = Search(0, fake.EPOCHS, "random", **({"pruner": "none"} | search))
        self.trials = Trials(folder, read_space(space), own_values(values, space), search)
        self.folder, self.asked, self.is_taken, self.told = folder, False, False, []
        self.maker = Maker(self.trials, WORDS, values, folder, self.check, lambda: self.asked, self.told.append)

    def check(self) -> None:
        if self.is_taken:
            raise HeldError("taken over by another run")

    def run(self, total: int) -> list[tuple[str, float | None, str]]:
        make_trials(self.trials, 0, 1, total, self.folder, self.maker)
        return [(each.state.name, each.value, each.user_attrs.get("reason", "")) for each in self.trials.all()]


def test_a_trial_has_the_score_of_its_best_epoch_and_leaves_nothing_but_its_confusions(tmp_path):
    worker = Worker(tmp_path, 0.5, 1.0)
    assert worker.run(1) == [("COMPLETE", pytest.approx(0.15), "")]
    assert not (tmp_path / "trial0").exists()
    with np.load(confusions_of(tmp_path, 0)) as file:
        assert file["images"].tolist() == ["a", "b"]
        assert file["confusion"].tolist() == np.ones((2, 2, 2)).tolist()
    assert worker.trials.all()[0].user_attrs["seconds"] == 1.5


@pytest.mark.parametrize(
    ("rate", "reason"),
    [
        (fake.DIVERGES, "diverged in epoch 1"),
        (fake.NO_MEMORY, "out of memory: unet with train.batch_size 64; expected a step that fits"),
        (fake.UNDEFINED, "its score is undefined in every epoch"),
        (fake.KILLED, "process 0 was killed (SIGKILL); memory ran out"),
    ],
)
def test_values_with_which_a_training_cannot_go_on_fail_the_trial_and_not_the_study(tmp_path, rate, reason):
    worker = Worker(tmp_path, 0.5, rate)
    rows = _with_exact_rate(worker, rate).run(2)
    assert rows[0][0] == "COMPLETE"
    assert rows[1] == ("FAIL", None, reason)
    kills = worker.trials.all()[1].user_attrs.get("kills", 0)
    assert kills == (KILLS if rate == fake.KILLED else 0)


@pytest.mark.parametrize(
    ("rate", "message"),
    [(fake.NO_ROOM, "no space left: state"), (fake.BREAKS, r"trial 1 broke off with status 1 \(RuntimeError: a bug\)")],
)
def test_what_is_not_the_values_fault_ends_the_worker_and_the_trial_goes_on_later(tmp_path, rate, message):
    worker = _with_exact_rate(Worker(tmp_path, 0.5, rate), rate)
    with pytest.raises(InputError, match=message):
        worker.run(2)
    assert worker.trials.left_by(0, 2)[0].number == 1
    assert (tmp_path / "trial1").exists()


def test_an_error_of_the_configs_own_values_ends_the_worker(tmp_path):
    with pytest.raises(InputError, match="out of memory: unet"):
        Worker(tmp_path, fake.NO_MEMORY, 1.0).run(2)


def _with_exact_rate(worker: Worker, rate: float) -> Worker:
    """Have other trials train at just that rate, whichever of the two that are all but equal was drawn."""
    make = worker.maker

    def exact(trial):
        return make(
            trial if trial.is_default else type(trial)(trial.number, {"train.learning_rate": rate}, trial.storage_id)
        )

    worker.maker = exact
    return worker


def test_a_trial_that_lags_behind_is_ended_though_its_training_would_go_on(tmp_path):
    worker = Worker(tmp_path, 0.9, 0.1, pruner="median", pruner_options={"n_startup_trials": 1})
    rows = worker.run(2)
    assert rows == [("COMPLETE", pytest.approx(0.27), ""), ("PRUNED", pytest.approx(0.01), "behind in epoch 1")]
    assert not (tmp_path / "trial1").exists()
    assert not confusions_of(tmp_path, 1).exists()


def leave_scores(worker: Worker, scores: list[float]) -> None:
    """Begin trial 1, and leave what a training of it told before its worker was killed."""
    worker.run(1)
    trial = worker.trials.begin(0, 2)
    rows = [
        {"epoch": epoch, "val_score": score, "seconds": 1.0, "best": 1, "ended": ""}
        for epoch, score in enumerate(scores, 1)
    ]
    (worker.folder / "trial1").mkdir()
    write_scores(worker.folder / "trial1" / "scores.json", rows, ["a"], np.ones((1, 2, 2), np.int64))
    for row in rows:
        worker.trials.report(trial, row["epoch"], row["val_score"])


def test_scores_of_a_training_that_was_begun_anew_take_the_place_of_those_before(tmp_path):
    # By those before, it would be ended behind trial 0.
    worker = Worker(tmp_path, 0.5, 0.9, pruner="median", pruner_options={"n_startup_trials": 1})
    leave_scores(worker, [0.01, 0.02])
    assert worker.run(2)[1] == ("COMPLETE", pytest.approx(0.27), "")
    assert worker.trials.all()[1].intermediate_values == pytest.approx({1: 0.09, 2: 0.18, 3: 0.27})


def test_a_training_that_was_over_before_its_worker_was_killed_counts_with_what_it_told(tmp_path, monkeypatch):
    worker = Worker(tmp_path, 0.5, 0.9)
    leave_scores(worker, [0.3, 0.4])
    monkeypatch.setenv("OVER", "1")
    assert worker.run(2)[1] == ("COMPLETE", 0.4, "")
    with np.load(confusions_of(tmp_path, 1)) as file:
        assert file["images"].tolist() == ["a"]


def test_a_worker_that_is_asked_to_stop_has_its_training_stop_and_goes_on_when_started_again(tmp_path, monkeypatch):
    monkeypatch.setenv("SLOW", "60")
    worker = Worker(tmp_path, 0.5, 1.0)

    def ask():
        deadline = time.monotonic() + SLOW_START
        while not (tmp_path / "trial0" / "scores.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        worker.asked = True

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    with pytest.raises(StoppedError, match=r"trial 0 is kept in .*journal\.log; started again it goes on"):
        worker.run(2)
    asking.join()
    assert time.monotonic() - began < SLOW_START + 10
    assert "stopped: saved" in (tmp_path / "trial0" / "training.log").read_text()
    monkeypatch.delenv("SLOW")
    again = Worker(tmp_path, 0.5, 1.0)
    assert [row[0] for row in again.run(2)] == ["COMPLETE", "COMPLETE"]


def test_a_worker_whose_place_was_taken_writes_nothing_more(tmp_path):
    worker = Worker(tmp_path, 0.5, 1.0)
    worker.is_taken = True
    with pytest.raises(HeldError):
        worker.run(1)
    assert worker.trials.all()[0].intermediate_values == {}


def test_what_ended_trials_have_left_is_removed(tmp_path):
    worker = Worker(tmp_path, 0.5, 1.0)
    worker.run(1)
    worker.trials.begin(0, 2)
    for number in range(2):
        (tmp_path / f"trial{number}").mkdir()
    clear_ended(worker.trials, tmp_path)
    assert [path.name for path in tmp_path.glob("trial*")] == ["trial1"]


def test_the_folder_of_a_trial_that_another_worker_begins_meanwhile_is_left_alone(tmp_path, monkeypatch):
    mine, other = (Worker(tmp_path, 0.5, 1.0).trials for _ in range(2))
    read, reads = mine.all, []

    def meanwhile():
        reads.append(read())
        if len(reads) == 1:
            other.begin(1, 5)
            (tmp_path / "trial0").mkdir()
        return reads[-1]

    monkeypatch.setattr(mine, "all", meanwhile)
    clear_ended(mine, tmp_path)
    assert reads
    assert (tmp_path / "trial0").exists()


def test_a_trial_beyond_those_that_are_still_asked_for_is_not_trained(tmp_path):
    worker = Worker(tmp_path, 0.5, 1.0)
    for _ in range(3):  # killed in each of them; then two are asked for, and by a study without this worker
        worker.trials.begin(0, 3)
    assert [row[0] for row in worker.run(2)] == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert make_trials(worker.trials, 1, 1, 2, tmp_path, worker.maker) == 0
    assert [row[0] for row in worker.run(3)] == ["COMPLETE"] * 3


def test_the_words_of_a_training_are_those_of_the_trial(tmp_path, monkeypatch):
    from histoloom.tune import training

    seen = []
    monkeypatch.setattr(training.subprocess, "Popen", partial(_noted, seen))
    values = {"train": {"learning_rate": 0.5, "loss": "bce + dice"}, "study": {"seed": 3}}
    with pytest.raises(InterruptedError), training.started(["train.py", "--fold", "0"], values, tmp_path):
        pass
    words = seen[0][1:]
    assert words[:3] == ["train.py", "--fold", "0"]
    assert dict(zip(words[3::2], words[4::2], strict=True)) == {
        "--epochs-folder": f"{tmp_path}/epochs", "--history": f"{tmp_path}/history.csv",
        "--model": f"{tmp_path}/model.safetensors", "--scores": f"{tmp_path}/scores.json",
        "--state": f"{tmp_path}/state", "--learning-rate": "0.5", "--loss": "bce + dice", "--seed": "3",
    }  # fmt: skip


def _noted(seen: list, command: list[str], **_) -> None:
    seen.append(command)
    raise InterruptedError
