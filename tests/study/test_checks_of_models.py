"""What a config may not choose together for training and prediction, and what it is told then."""

from inspect import signature
from pathlib import Path

import pytest
import yaml

from histoloom import plugins
from histoloom.study.plugin_source import needs, reads

HOVER = "predict: {method: hover}\n"
CURE = "expected a term of maps; add hv to train.loss, or set method: watershed"


@pytest.mark.parametrize(
    ("text", "place", "loss"),
    [
        (HOVER, "study.yaml:1: predict.method", "cross_entropy + dice"),
        (
            "datasets:\n  demo_breast: {reader: brecahad, root: ., predict: {method: hover}}\n",
            "study.yaml:2: datasets.demo_breast.predict.method",
            "cross_entropy + dice",
        ),
        (
            "train: {loss: bce + hv}\npairs:\n  demo_breast/unet_small:\n"
            "    train: {loss: 2*bce}\n    predict: {method: hover}\n",
            "study.yaml:5: pairs.demo_breast/unet_small.predict.method",
            "2*bce",
        ),
    ],
)
def test_a_method_that_needs_maps_without_a_loss_that_teaches_them_is_told(study, text, place, loss):
    assert study(text) == [f'{place}: hover needs instance maps, which train.loss "{loss}" does not teach; {CURE}']


def test_maps_that_are_learnt_may_be_used_or_not(study):
    assert study("train: {loss: bce + 2*hv(gradient_weight=1)}\n" + HOVER) == []
    assert study("train: {loss: bce + hv}\n") == []


def test_a_wrong_loss_is_told_alone(study):
    for loss in ("bce + dise", "bce - dice"):
        [problem] = study(f"train: {{loss: {loss}}}\n" + HOVER)
        assert "train.loss" in problem.split(": ")[1]


def test_needs_are_read_from_the_parameters():
    assert [name for name in plugins.names("losses") if reads("losses", name) == "maps"] == ["hv"]
    assert needs("postprocessors", "hover", "maps")
    assert not needs("postprocessors", "watershed", "maps")
    assert not needs("losses", "bce", "maps")
    assert reads("metrics", "pq") == "pairs"


def colours(entry, standardise="fold"):
    return (
        f"study: {{architectures: [mine]}}\ntrain: {{standardise: {standardise}}}\narchitectures: {{mine: {entry}}}\n"
    )


@pytest.mark.parametrize(
    ("entry", "option"),
    [
        ("{network: fpn, options: {pretrained: imagenet}}", "pretrained: imagenet"),
        ("{network: fpn, options: {pretrained: my.safetensors}}", "pretrained: my.safetensors"),
        ("{network: any_network, options: {path: a.B, scaling: imagenet}}", "scaling: imagenet"),
    ],
)
def test_colours_scaled_twice_are_told(study, entry, option):
    Path("my.safetensors").write_bytes(b"")
    assert study(colours(entry)) == [
        f"study.yaml:2: train.standardise: fold, but mine with {option} scales colours itself; "
        "expected one scaling of colours; set standardise: none"
    ]
    assert study(colours(entry, "none")) == []


def test_colours_scaled_once_are_sound(study):
    assert study(colours("{network: fpn, options: {pretrained: none}}")) == []
    assert study(colours("{network: unet}")) == []


def test_the_words_and_bounds_that_the_check_knows_without_imports_are_those_of_training():
    from histoloom.study.checks import models, optimisers
    from histoloom.train.data import class_weights
    from histoloom.train.data.augmentation.strengths import _range
    from histoloom.train.optimisers import BY_NAME, FROM_TRAIN

    assert class_weights.WORDS == models.CLASS_WEIGHTS
    assert tuple(BY_NAME) == tuple(optimisers.OPTIMISERS)
    assert optimisers.OWN_SETTINGS == FROM_TRAIN
    for name, options in optimisers.OPTIMISERS.items():
        assert {"lr", "weight_decay", *options} == {*signature(BY_NAME[name]).parameters} - {"params"}, name
    schema = yaml.safe_load((Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml").read_text())
    stated = schema["$defs"]["augment"]["properties"]
    for name, bounds in stated.items():
        if bounds["type"] != "boolean":
            assert (bounds["minimum"], bounds["maximum"]) == _range(name), name


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ("{optimiser_options: {momentum: 0.9}}", "optimiser_options.momentum: unknown option of optimiser adam; "),
        (
            "{optimiser_options: {beta: 0.9}}",
            "optimiser_options.beta: unknown option of optimiser adam; did you mean 'betas'?",
        ),
        (
            "{optimiser_options: {lr: 0.1}}",
            "optimiser_options.lr: is a setting of its own; expected it as train.learning_rate; move it there",
        ),
        ("{optimiser_options: {betas: 0.9}}", "optimiser_options.betas: 0.9; expected a list such as [a, b]"),
        ("{optimiser_options: {betas: [0.9, 1.0]}}", "optimiser_options.betas[1]: 1.0; expected less than 1"),
        ("{optimiser_options: {betas: [0.9]}}", "optimiser_options.betas: [0.9]; expected two numbers, such as "),
        ("{optimiser_options: {eps: -1}}", "optimiser_options.eps: -1; expected at least 0"),
        (
            "{optimiser_options: {fused: true, foreach: true}}",
            "optimiser_options.fused: true, with foreach: true; expected one of both; remove one",
        ),
        (
            "{optimiser: sgd, optimiser_options: {nesterov: true}}",
            "optimiser_options.nesterov: true, with momentum 0 and dampening 0; expected momentum above 0 ",
        ),
        (
            "{loss: 0*bce + 0.0*dice}",
            'loss: "0*bce + 0.0*dice" has no weight above 0; expected one at least, else nothing is learnt; raise one',
        ),
    ],
)  # fmt: skip
def test_what_an_optimiser_and_an_objective_cannot_be_is_told(study, train, expected):
    [problem] = study(f"train: {train}\n")
    assert problem.startswith(f"study.yaml:1: train.{expected}")


def test_options_that_training_takes_are_sound(study):
    for train in (
        "{optimiser: sgd, optimiser_options: {momentum: 0.9, nesterov: true}}",
        "{optimiser_options: {betas: [0.9, 0.99], eps: 1.0e-6, amsgrad: true}}",
        "{optimiser: torch.optim.RMSprop, optimiser_options: {alpha: 0.9}}",
    ):
        assert study(f"train: {train}\n") == []
