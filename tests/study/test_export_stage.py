"""What the rules of stage export hang on, and what the check of a config says of it."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from histoloom.study.study import Study

DEMO = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text())
WILD = SimpleNamespace(dataset="demo_breast", architecture="unet_small")
FOLDER = "results/demo_breast/unet_small"


def export(tune=None, normalise="none", **changes):
    config = copy.deepcopy(DEMO)
    config["export"] |= changes
    config["predict"]["tune"] = tune or {}
    config["normalise"]["method"] = normalise
    return Study(config).export


def test_nothing_is_wanted_unless_a_format_is_asked_for():
    assert export().wanted == []
    assert not any("/export/" in file for file in Study(DEMO).wanted)


def test_every_model_leaves_in_every_form_or_those_that_are_named():
    found = export(formats=["weights", "onnx"]).wanted
    assert len(found) == 2 * 2 * 2
    assert f"{FOLDER}/export/onnx" in found
    assert export(formats=["onnx"], models=["demo_breast/unet_small"]).wanted == [f"{FOLDER}/export/onnx"]


def test_the_best_is_chosen_among_all_folds():
    models = [f"{FOLDER}/fold{fold}/model.safetensors" for fold in range(3)]
    assert export(fold="best").models(WILD) == models
    assert export(fold=2).models(WILD) == models[2:]


def test_thresholds_are_those_of_the_folds_that_are_there_to_choose_from():
    tuned = {"foreground": [0.4, 0.5]}
    settings = [f"{FOLDER}/fold{fold}/postprocess.json" for fold in range(3)]
    assert export(tune=tuned).settings(WILD) == settings
    assert export(tune=tuned, fold=1).settings(WILD) == settings[1:2]
    assert export(fold=1).settings(WILD) == [f"{FOLDER}/postprocess.json"]


def test_the_stain_of_a_normalised_dataset_leaves_with_its_fold():
    assert export().references(WILD) == []
    found = export(normalise="macenko", fold=1).references(WILD)
    assert found == ["results/demo_breast/fold1/normalised/reference.npz"]


def test_no_value_that_a_prediction_hangs_on_is_left_behind():
    words = export().weights_flags(WILD)
    groups = {word: words[words.index(word) + 1 :] for word in words if word.startswith("--")}
    for flag in ("--engine", "--slide-engine"):
        named = {word.partition("=")[0] for word in groups[flag]}
        assert {"overlap", "window", "window_px", "tta", "batch_size", "precision", "compile"} <= named
    assert "unit='um'" in groups["--regions"]
    assert "tissue_mpp=8.0" in groups["--tissue"]
    assert groups["--slide"][:4] == ["margin_px=128", "model_mpp=0.0", "outside=0", "simplify_um=0.0"]
    assert not any(word.startswith("tried") for word in words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{formats: [onnx], models: [demo_breast/unet_smal]}", "did you mean 'demo_breast/unet_small'?"),
        ("{formats: [onnx], models: [demo_breast/fpn]}", "'demo_breast/fpn' is trained by no part of this study"),
        ("{formats: [weights], fold: worst}", "export.fold: 'worst'; expected best, or the number of a fold from 0"),
        ("{formats: [weights], fold: 3}", "export.fold: 3, but demo_nuclei has the folds 0 to 2"),
        ("{formats: [torchscript]}", "export.formats[0]: torchscript; expected weights or onnx or monai_bundle"),
    ],
)
def test_what_cannot_work_is_said_once(study, text, message):
    problems = study(f"export: {text}")
    assert len(problems) == 1
    assert message in problems[0]
    assert problems[0].startswith("study.yaml:1: ")


def test_what_is_said_of_no_format_does_not_matter(study):
    assert study("export: {models: [nothing/at_all], fold: 99}") == []
    assert study("export: {formats: [weights, onnx, monai_bundle], fold: 2}") == []


def test_a_network_that_cannot_leave_as_a_program_is_refused_before_it_is_trained(study):
    text = "study: {architectures: [swin_unetr]}\nexport: {formats: [weights, onnx]}"
    problems = study(text)
    assert len(problems) == 2  # of each dataset
    assert "onnx of demo_breast/swin_unetr: its windows of 7 pixels" in problems[0]
    assert study(text.replace(", onnx", "")) == []
