"""The real workflow with real trainings: what was sought is trained with, and trained again only if it is another."""

import csv
import json
import shutil

import pytest
import yaml

from tests.study.test_snakemake import copy_workflow, planned, snakemake
from tests.train.training_case import make_case

FOLD = "results/discs/tiny/fold0"
TARGET = f"{FOLD}/model.safetensors"
TOO_SMALL = 1e-6  # a rate with which nothing is learnt
STUDY = {
    "study": {"name": "discs", "datasets": ["discs"], "architectures": ["tiny"], "baselines": []},
    "datasets": {"discs": {"reader": "brecahad", "root": "raw"}},
    "architectures": {"tiny": {"network": "unet", "options": {"width": 2}}},
    "tiles": {"tile_px": 32, "stride_px": 16},
    "train": {"epochs": 1, "probe_tiles": 1, "batch_size": 2, "loss": "bce + dice", "learning_rate": TOO_SMALL},
    "tune": {"trials": 3, "space": {"train.learning_rate": [TOO_SMALL, 0.05], "train.loss.dice": [1.0, 2.0]}},
}
# What seed 0 draws: nothing but the config's own values at first, then a rate that learns, then none again.
RATES = [TOO_SMALL, TOO_SMALL, TOO_SMALL, 0.05, TOO_SMALL]


@pytest.fixture
def clone(tmp_path):
    """A copy of the workflow in which everything before tuning is there, of a few small discs."""
    (tmp_path / "clone" / "raw").mkdir(parents=True)
    folder = copy_workflow(tmp_path / "clone")
    made, results = make_case(tmp_path / "case").folder / "inputs", folder / "results" / "discs"
    for name in ("tiles", "prepared", "inspection"):
        (results / name).mkdir(parents=True)
    for name in ("images.npy", "masks.npy", "instances.npy", "images.csv", "windows.csv"):
        shutil.copy(made / name, results / "tiles" / name)
    table = results / "tiles" / "images.csv"
    table.write_text("".join(f"{line},{'mpp' if not n else ''}\n" for n, line in enumerate(table.read_text().split())))
    shutil.copy(made / "dataset.json", results / "prepared")
    shutil.copy(made / "folds.csv", results)
    (results / "inspection" / "findings.csv").write_text("severity,check,name,message\n")
    return folder


def with_trials(trials):
    return {**STUDY, "tune": {**STUDY["tune"], "trials": trials}}


def run(folder, study):
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    ended = snakemake(folder, "--cores", "1", "--configfile", "study.yaml", "--", TARGET)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with (folder / FOLD / "history.csv").open() as file:
        score = float(next(csv.DictReader(file))["val_score"])
    return (
        (folder / TARGET).stat().st_mtime_ns,
        score,
        json.loads((folder / FOLD / "tuning" / "tuned.json").read_text()),
    )


def test_the_best_values_are_trained_with_and_another_optimum_alone_trains_again(clone):
    trained, score, found = run(clone, STUDY)
    # The training is the best trial once more: the same score to the last bit.
    assert score == found["score"] == found["default_score"]
    assert planned(clone, STUDY, [TARGET]) == set()
    assert {rule for rule, _ in planned(clone, with_trials(4), [TARGET])} >= {"tune"}
    better, score, after = run(clone, with_trials(4))
    assert better != trained
    assert score == after["score"] > found["score"]
    assert after["values"] == {"train.learning_rate": 0.05, "train.loss.dice": 2.0}
    same, score, last = run(clone, with_trials(5))
    assert (same, score, last) == (better, after["score"], after)
    with (clone / FOLD / "tuning" / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train.learning_rate"]) for row in rows] == RATES
    journal = next((clone / FOLD / "tuning" / "state").glob("*/journal.log"))
    assert len(list(journal.parent.parent.iterdir())) == 1  # the same study, with one trial more
    off = {**STUDY, "tune": {"trials": 0}}
    assert {rule for rule, _ in planned(clone, off, [TARGET])} == {"train"}
