"""How what was tuned comes into the flags of training, and what the rules of tuning hang on."""

import json
from pathlib import Path
from types import SimpleNamespace

import yaml

from histoloom.study.config_words import changes, flag_values
from histoloom.study.study import Study

DEMO = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text())
SPACE = {"train.learning_rate": [0.1, 0.2], "train.loss.dice": [1, 2], "train.schedule": ["cosine", "poly"]}
PLACE = {"dataset": "demo_breast", "architecture": "unet_narrow"}
TRAINING = SimpleNamespace(**PLACE, fold="2")


class Checkpoints:
    """The Snakefile's, once `values` were found; it notes for which fold it was asked."""

    def __init__(self, folder: Path, values: dict) -> None:
        self.path, self.asked = folder / "tuned.json", []
        self.path.write_text(json.dumps({"values": values, "trial": 3}))
        self.choose_trial = self

    def get(self, **wildcards):
        self.asked.append(wildcards)
        return SimpleNamespace(output=SimpleNamespace(tuned=str(self.path)))


def study(checkpoints=None, **tune):
    return Study({**DEMO, "tune": {**DEMO["tune"], **tune}}, checkpoints)


def test_without_trials_training_is_told_what_it_is_told_without_tuning(tmp_path):
    checkpoints = Checkpoints(tmp_path, {"train.learning_rate": 0.2})
    off = study(checkpoints, space=SPACE)
    assert off.train.flags(TRAINING) == Study(DEMO).train.flags(TRAINING)
    assert off.tune.found(TRAINING) == []
    assert off.tune.pages("demo_breast", "unet_narrow") == []
    assert checkpoints.asked == []


def test_what_was_found_stands_in_the_flags_and_the_code_of_training(tmp_path):
    found = {"train.learning_rate": 0.2, "train.loss.dice": 2, "train.schedule": "poly"}
    tuned, plain = study(Checkpoints(tmp_path, found), trials=5, space=SPACE), Study(DEMO)
    before, after = (flag_values(each.train.flags(TRAINING)) for each in (plain, tuned))
    differing = {flag: after[flag] for flag in after if after[flag] != before[flag]}
    assert differing == {"learning_rate": ["0.2"], "loss": ["cross_entropy + 2*dice"], "schedule": ["poly"]}
    assert tuned.train.code(TRAINING) != plain.train.code(TRAINING)  # another schedule is other code


def test_an_optimum_that_is_the_config_changes_no_flag(tmp_path):
    own = {"train.learning_rate": 5.0e-3, "train.loss.dice": 1.0, "train.schedule": "cosine"}
    tuned = study(Checkpoints(tmp_path, own), trials=5, space=SPACE)
    assert tuned.train.flags(TRAINING) == Study(DEMO).train.flags(TRAINING)


def test_each_fold_takes_its_own_values_or_all_take_those_of_the_first(tmp_path):
    for folds, asked, pages in (("each", "2", 6), ("first", "0", 2)):
        checkpoints = Checkpoints(tmp_path, {})
        tuned = study(checkpoints, trials=5, space=SPACE, folds=folds)
        assert tuned.tune.found(TRAINING) == [str(checkpoints.path)]
        assert checkpoints.asked == [{**PLACE, "fold": asked}]
        assert len(tuned.tune.pages("demo_breast", "unet_narrow")) == pages
        assert set(tuned.tune.pages("demo_breast", "unet_narrow")) <= {
            Path(file).name for file in tuned.wanted if file.startswith("results/demo_breast/figures/")
        }


def test_the_picture_of_augmentation_waits_for_tuning_only_where_augmentation_is_tuned(tmp_path):
    checkpoints, sheet = Checkpoints(tmp_path, {"augment.stain": 0.3}), SimpleNamespace(**PLACE)
    assert study(checkpoints, trials=5, space=SPACE).tune.found_augmentation(sheet) == []
    tuned = study(checkpoints, trials=5, space={"augment.stain": [0.1, 0.3]})
    assert tuned.tune.found_augmentation(sheet) == [str(checkpoints.path)]
    assert flag_values(tuned.train.augmentation_flags(sheet))["stain"] == ["0.3"]
    assert checkpoints.asked[0]["fold"] == "0"


def test_trials_are_shorter_trainings_where_it_is_so_set():
    for epochs, expected in ((0, 8), (3, 3)):
        flags = flag_values(study(trials=5, space=SPACE, epochs=epochs).tune.flags(TRAINING))
        assert json.loads(flags["training"][0])["train"]["epochs"] == expected


def test_how_a_training_runs_and_how_many_share_the_work_is_no_flag_of_a_worker():
    one, other = study(trials=5, space=SPACE), study(trials=5, space=SPACE, workers=4)
    other.config["train"] = {**other.config["train"], "loader_workers": 7, "checkpoint_minutes": 1}
    assert one.tune.flags(TRAINING) == other.tune.flags(TRAINING)
    assert one.tune.code(TRAINING) == other.tune.code(TRAINING)
    assert len(other.tune.reports(TRAINING)) == 4


def test_the_code_of_a_worker_holds_every_plug_in_that_a_trial_may_use():
    narrow = study(trials=5, space={"train.learning_rate": [0.1, 0.2]}).tune.code(TRAINING)
    assert study(trials=5, space=SPACE).tune.code(TRAINING) != narrow
    losses = {"train.loss": ["cross_entropy + dice", "focal"]}
    assert study(trials=5, space=losses).tune.code(TRAINING) != narrow


def test_changes_are_told_in_the_words_of_the_config():
    before = study(trials=5, space=SPACE).tune.flags(TRAINING)
    changed = study(trials=9, space={**SPACE, "train.learning_rate": [0.1, 0.3]})
    changed.config["architectures"] = {"unet_narrow": {"network": "unet", "options": {"width": 9}}}
    changed.config["datasets"]["demo_breast"]["train"] = {"epochs": 9}
    told = changes(before, changed.tune.flags(TRAINING), ("tune", "tune"), {**PLACE, "fold": "2"}, changed.config)
    assert [str(change) for change in told] == [
        "tune.space.train.learning_rate: [0.1, 0.2] -> [0.1, 0.3]",
        "architectures.unet_narrow.options.width: 8 -> 9",
        "datasets.demo_breast.train.epochs: 8 -> 9",
        "train.learning_rate: 0.005 -> 0.001",
        "train.probe_tiles: 4 -> 3",
        "tune.trials: 5 -> 9",
    ]
