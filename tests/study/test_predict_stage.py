"""How the floor is post-processed when the study's models part nuclei by instance maps."""

from pathlib import Path
from types import SimpleNamespace

import yaml

from histoloom.study.study import Study

DEMO = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text())
CHOICE = {
    "method": "hover",
    "method_options": {"foreground": 0.6, "edge": 0.3},
    "tune": {"foreground": [0.4, 0.5], "kernel_px": [11, 21], "min_area_px": [20, 40]},
}
STUDY = Study({**DEMO, "predict": {**DEMO["predict"], **CHOICE}})


def words_of(predictor):
    return STUDY.predict.tune_flags(SimpleNamespace(dataset="demo_breast", architecture=predictor, fold="0"))


def after(words, flag):
    """The words of a flag."""
    rest = words[words.index(flag) + 1 :]
    return rest[: next((place for place, word in enumerate(rest) if word.startswith("--")), len(rest))]


def test_the_floor_tries_what_both_methods_have():
    words = words_of("all_background")
    assert after(words, "--method") == ["watershed"]
    assert after(words, "--tried") == ["foreground=[0.4, 0.5]", "min_area_px=[20, 40]"]
    assert after(words, "--option") == ["foreground=0.6"]


def test_models_keep_all():
    words = words_of("unet_narrow")
    assert after(words, "--method") == ["hover"]
    assert len(after(words, "--tried")) == 3
    assert len(after(words, "--option")) == 2


def test_only_what_is_tuned_has_options_of_its_own_in_each_fold():
    wildcards = SimpleNamespace(dataset="demo_breast", architecture="all_background", fold="1")
    folder = "results/demo_breast/all_background"
    assert STUDY.predict.settings(wildcards) == f"{folder}/fold1/postprocess.json"
    alone = Study({**DEMO, "predict": {**DEMO["predict"], "method": "hover", "tune": {"edge": [0.3, 0.4]}}})
    # The floor has no edge, so nothing of it is tuned, though the models are.
    assert alone.predict.settings(wildcards) == f"{folder}/postprocess.json"
    model = SimpleNamespace(dataset="demo_breast", architecture="unet_small", fold="1")
    assert alone.predict.settings(model) == "results/demo_breast/unet_small/fold1/postprocess.json"
