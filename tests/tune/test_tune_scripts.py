"""The scripts of tuning as processes: killed, asked to stop and started again, they find the same."""

import json
import signal
import subprocess
import sys
import time

import pytest

import tune_training
from tests.scripts_run import outcome
from tests.train.training_case import ROOT, environment_with

SPACE = {"train.learning_rate": {"low": 0.1, "high": 0.9}}
TRAINING = {"train": {"learning_rate": 0.5, "epochs": 3}, "augment": {}, "study": {"seed": 0}}


DESCRIPTION = {
    "name": "discs", "reader": "folder", "classes": ["background", "disc"], "has_instances": False, "licence": "",
    "citation": "", "facts": {}, "warnings": [],
}  # fmt: skip


def command(folder, trials):
    values = {
        "trials": trials, "worker": 0, "workers": 1, "sampler": "tpe", "pruner": "none", "space": json.dumps(SPACE),
        "training": json.dumps(TRAINING), "inputs": ROOT / "LICENSE", "code": "code", "state": folder / "state",
        "report": folder / "worker0.json", "dataset": folder / "dataset.json",
    }  # fmt: skip
    flags = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "scripts/tune_training.py", *flags, "tests/tune/fake_training.py", "--fold", "0"]


def start(folder, trials, **environment):
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(DESCRIPTION))
    return subprocess.Popen(command(folder, trials), cwd=ROOT, env=environment_with(**environment))


def wait_for(folder, pattern):
    deadline = time.monotonic() + 120  # on a busy machine
    while not list(folder.glob(pattern)) and time.monotonic() < deadline:
        time.sleep(0.05)


def chosen(folder, trials):
    (folder / "folds.csv").write_text("fold,part,name,group\n0,val,a,x\n0,val,b,y\n")
    places = {name: folder / f"{name}.csv" for name in ("table", "importances", "gain")}
    values = {
        "worker": folder / "worker0.json", "trials": trials, "name": "train.learning_rate",
        "folds": folder / "folds.csv", "metric": "dice", "score-class": "foreground", "bootstrap": 20, "seed": 0,
        "tuned": folder / "tuned.json", **places,
    }  # fmt: skip
    flags = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    assert outcome([str(ROOT / "scripts" / "choose_trial.py"), *flags]) == "done"
    return [(folder / name).read_bytes() for name in ("tuned.json", "table.csv", "gain.csv")]


def test_a_worker_killed_and_asked_to_stop_finds_what_an_undisturbed_one_does(tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert start(undisturbed, 3).wait(120) == 0
    first = start(disturbed, 3, SLOW="60")
    wait_for(disturbed, "state/*/trial0/scores.json")
    first.kill()
    first.wait()
    next(disturbed.glob("state/*/trial0/starts")).unlink()  # so that the second one's start is seen
    second = start(disturbed, 3, SLOW="60")
    wait_for(disturbed, "state/*/trial0/starts")
    time.sleep(1)
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 75
    assert not (disturbed / "worker0.json").exists()
    assert start(disturbed, 2).wait(120) == 0
    assert start(disturbed, 3).wait(120) == 0  # a finished study is extended
    assert chosen(disturbed, 3) == chosen(undisturbed, 3)
    found = json.loads((disturbed / "tuned.json").read_text())
    assert found["default_score"] == 0.15  # 0.5 * 3 / 10
    assert found["score"] >= found["default_score"]
    assert found["score"] == found["values"]["train.learning_rate"] * 3 / 10


def test_trials_on_other_classes_are_of_another_study_and_on_another_licence_of_the_same(tmp_path, monkeypatch):
    def identity(**changed):
        (tmp_path / "dataset.json").write_text(json.dumps({**DESCRIPTION, **changed}))
        monkeypatch.setattr(sys, "argv", command(tmp_path, 1)[1:])
        return tune_training.identity(tune_training.parse())

    assert identity() == identity(licence="CC0")
    assert identity() != identity(classes=["background", "disc", "never drawn"])


@pytest.mark.parametrize("name", ["tune_training", "choose_trial", "draw_tuning"])
def test_no_flag_may_be_cut_short(name, capsys):
    assert outcome([str(ROOT / "scripts" / f"{name}.py"), "--trial", "3"]) == "2"
    missing = capsys.readouterr().err.rpartition("required: ")[2]
    assert "--trials" in missing
