"""What the rules of rounds are told: by the config, and by verdicts as far as they went."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from histoloom.study.config_words import key_of
from histoloom.study.stages.rounds import Rounds
from histoloom.study.stages.split import Split
from histoloom.study.stages.train import Train
from histoloom.study.study import Study
from tests.study.conftest import BASE

FOLD = "results/sparse/unet/fold0/rounds"


class Checkpoints:
    """Those of Snakemake for verdicts that are on disk already; one that is not there ends as theirs does."""

    def __init__(self, root: Path):
        self.root, self.judge_round = root, self

    def get(self, **names: str) -> SimpleNamespace:
        path = self.root / "fold{fold}-round{round}.json".format(**names)
        if not path.is_file():
            raise LookupError(names["round"])
        return SimpleNamespace(output=[path])


@pytest.fixture
def config(tmp_path):
    import yaml

    values = yaml.safe_load(BASE.read_text())
    values["datasets"] = {
        "dense": {"reader": "folder", "root": "data"},
        "sparse": {"reader": "folder", "root": "data", "split": {"fold_count": 2},
                   "rounds": {"count": 2, "parts": 2, "draws": 2, "weight": 0.25}},
    }  # fmt: skip
    values["study"] |= {"datasets": ["dense", "sparse"], "architectures": ["unet"]}
    return values


@pytest.fixture
def rounds(config, tmp_path) -> Rounds:
    return Rounds(config, Checkpoints(tmp_path), Train(config), Split(config))


def wildcards(**names) -> SimpleNamespace:
    return SimpleNamespace(dataset="sparse", architecture="unet", fold="0", **names)


def judge(root: Path, number: int, best: int, *, goes_on: bool, fold: int = 0) -> None:
    told = {"round": number, "scores": [], "best": best, "goes_on": goes_on, "reason": ""}
    (root / f"fold{fold}-round{number}.json").write_text(json.dumps(told))


def test_datasets_without_rounds_are_trained_as_ever(config):
    study = Study(config)
    assert study.rounds.datasets == ["sparse"]
    assert (study.trained_pattern, study.rounded_pattern) == ("dense", "sparse")
    assert not [file for file in study.wanted if "rounds_" in file and "sparse" not in file]
    assert "results/sparse/figures/rounds_unet.html" in study.wanted
    del config["datasets"]["sparse"]["rounds"]
    plain = Study(config)
    assert plain.rounded_pattern == "(?!)"
    assert not [file for file in plain.wanted if "rounds_" in file]


def test_the_weight_is_a_flag_from_round_1_on_and_round_0_is_training_without_rounds(rounds, config):
    plain = Train(config).flags(wildcards())
    assert rounds.train_flags(wildcards(round="0")) == plain
    assert rounds.train_flags(wildcards(round="1")) == [*plain, "--pseudo-weight", "0.25"]


def test_round_0_trains_from_the_ordinary_tiles_and_later_ones_from_masks_and_windows_of_their_own(rounds):
    ordinary = rounds.tiles(wildcards(round="0"))
    later = rounds.tiles(wildcards(round="2"))
    assert ordinary["masks"] == "results/sparse/tiles/masks.npy"
    assert {key for key in ordinary if ordinary[key] != later[key]} == {"masks", "windows"}
    assert later["masks"] == f"{FOLD}/round2/masks.npy"
    assert rounds.drawn_tiles(wildcards(round="2"))["drawn"] == ordinary["masks"]


def test_a_round_is_judged_by_the_parts_of_the_one_before(rounds):
    expected = [f"{FOLD}/round0/part{part}/probabilities" for part in range(4)]
    assert rounds.probabilities(wildcards(round="1")) == expected
    assert rounds.masks_before(wildcards(round="1")) == []
    assert rounds.masks_before(wildcards(round="2")) == [f"{FOLD}/round1/masks"]
    assert rounds.histories(wildcards(round="1")) == [f"{FOLD}/round{number}/history.csv" for number in (0, 1)]


def test_no_round_is_chosen_before_the_last_verdict(rounds, tmp_path):
    judge(tmp_path, 0, 0, goes_on=True)
    with pytest.raises(LookupError, match="1"):
        rounds.best(wildcards())


def test_the_round_of_the_last_verdict_is_chosen(rounds, tmp_path):
    judge(tmp_path, 0, 0, goes_on=True)
    judge(tmp_path, 1, 1, goes_on=True)
    judge(tmp_path, 2, 1, goes_on=False)
    assert rounds.best(wildcards()) == 1
    assert rounds.chosen_model(wildcards()) == f"{FOLD}/round1/model.safetensors"
    assert len(rounds.verdicts(wildcards())) == 3


def test_a_chosen_round_that_was_trained_anew_is_another_choice(rounds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    judge(tmp_path, 0, 0, goes_on=False)
    history = tmp_path / FOLD / "round0" / "history.csv"
    found = [rounds.chosen_training(wildcards())]
    history.parent.mkdir(parents=True)
    for text in ("epoch,seconds\n1,2.5\n", "epoch,seconds\n1,2.5\n", "epoch,seconds\n1,2.6\n"):
        history.write_text(text)
        found.append(rounds.chosen_training(wildcards()))
    assert found[0] == ""  # it is gone
    assert found[1] == found[2] != found[3]


def test_the_page_tells_of_as_many_rounds_as_each_fold_had(rounds, tmp_path):
    judge(tmp_path, 0, 0, goes_on=True)
    judge(tmp_path, 1, 1, goes_on=False)
    judge(tmp_path, 0, 0, goes_on=True, fold=1)
    judge(tmp_path, 1, 0, goes_on=True, fold=1)
    judge(tmp_path, 2, 2, goes_on=False, fold=1)
    other = FOLD.replace("fold0", "fold1")
    assert rounds.drifts(wildcards()) == [
        f"{FOLD}/round1/drift.csv", f"{other}/round1/drift.csv", f"{other}/round2/drift.csv"
    ]  # fmt: skip
    assert rounds.shown_histories(wildcards()) == [
        *(f"{FOLD}/round{number}/history.csv" for number in (0, 1)),
        *(f"{other}/round{number}/history.csv" for number in (0, 1, 2)),
    ]
    assert rounds.shown_masks(wildcards()) == [f"{FOLD}/round1/masks"]
    assert [Path(path).name for path in rounds.last_verdicts(wildcards())] == ["fold0-round1.json", "fold1-round2.json"]


@pytest.mark.parametrize(
    ("rule", "flag", "expected"),
    [
        ("judge_round", "patience", "datasets.sparse.rounds.patience"),
        ("train_round", "patience", "train.patience"),
        ("divide_training", "near_duplicates", "split.near_duplicates"),
        ("train_part", "pseudo_weight", "datasets.sparse.rounds.weight"),
        ("accept_pixels", "confidence", "rounds.confidence"),
        ("predict_part", "batch_size", "predict.batch_size"),
    ],
)
def test_flags_of_rounds_are_told_by_their_place_in_the_config(config, rule, flag, expected):
    config["datasets"]["sparse"]["rounds"]["patience"] = 2
    names = {"dataset": "sparse", "architecture": "unet"}
    assert key_of(flag, (rule, "rounds"), names, config) == expected
