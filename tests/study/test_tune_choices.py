"""What may not be sought, and what somebody who tries is told."""

import inspect

import optuna
import pytest

from histoloom.study.tune_choices import PRUNERS, SAMPLERS

TUNE = "tune:\n  trials: 5\n  space:\n"


def said(study, name, values):
    """What is said of one value of the space, without where it stands."""
    [problem] = study(f"{TUNE}    {name}: {values}\n")
    place, key, message = problem.split(": ", 2)
    assert place == "study.yaml:4"
    assert key.startswith(f"tune.space.{name}")
    return message


SOUND = """
tune:
  trials: 20
  sampler_options: {n_startup_trials: 5, multivariate: true}
  pruner: percentile
  pruner_options: {percentile: 25.0, n_warmup_steps: 3}
  space:
    train.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
    train.batch_size: [4, 8]
    train.loss.dice: {low: 0.5, high: 2.0, step: 0.5}
    train.optimiser: [adam, adamw]
    train.schedule: [cosine, plateau]
    train.optimiser_options.eps: [1.0e-8, 1.0e-6]
    train.class_weights: [none, inverse_frequency]
    train.patience: {low: 0, high: 10}
    augment.flip: [true, false]
    augment.scale: {low: 0.0, high: 0.5}
"""


def test_values_of_training_and_augmentation_may_be_sought(study):
    assert study(SOUND) == []


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("train.lerning_rate", "[1, 2]", "is no value of training; did you mean 'train.learning_rate'?"),
        (
            "tiles.px",
            "[1, 2]",
            "is no value of training; expected train.<value> or augment.<value>; config/config.yaml lists them",
        ),
        (
            "predict.min_area_px",
            "[1, 2]",
            "is no value of training; expected one of train or augment; post-processing has predict.tune",
        ),
        (
            "train.nodes",
            "[1, 2]",
            "says how training runs, not what it gives; expected a value that a score depends on; remove it",
        ),
        (
            "train.select_metric",
            "[dice, iou]",
            "has to be the same in all trials; expected another value; set train.select_metric itself",
        ),
        ("train.loss.dise", "[1.0, 2.0]", 'is no term of train.loss "cross_entropy + dice"; did you mean \'dice\'?'),
        ("train.loss.dice", "{low: -1.0, high: 2.0}", "-1.0; expected at least 0"),
        ("train.learning_rate", "{low: 0.0, high: 0.1}", "0.0; expected more than 0"),
        ("train.batch_size", "{low: 1.5, high: 8}", "1.5; expected a whole number, at least 1"),
        ("train.batch_size", "{low: 1, high: 8, step: 0.5}", "0.5; expected a whole number; write 1"),
        ("train.sampling", "[even, evenly]", "evenly; expected even or stratum or class; did you mean 'even'?"),
        (
            "train.schedule",
            "[cosine, cosin]",
            "'cosin' is no file in scripts/histoloom/schedules; did you mean 'cosine'?",
        ),
        ("augment.scale", "{low: 0.0, high: 5.0}", "5.0; expected at most 4"),
        ("augment.scale", "{low: 0.5, high: 0.1}", "0.5; expected less than high (0.1); mend one of both"),
        ("augment.scale", "{low: 0.0}", "None; expected a finite number; give one"),
        ("augment.scale", "{low: 0.0, high: 1.0, stepp: 0.1}", "unknown key; did you mean 'step'?"),
        (
            "augment.scale",
            "{low: 0.0, high: 1.0, log: true}",
            "true, with low 0.0 and step None; expected low above 0 and no step; mend them",
        ),
        (
            "augment.scale",
            "{low: 0.0, high: 1.0, step: 2.0}",
            "2.0; expected a number above 0, at most 1.0; mend it",
        ),
        ("augment.scale", "[0.5]", "[0.5]; expected two choices or more, each once; mend the list"),
        (
            "augment.scale",
            "0.5",
            "0.5; expected a list of choices, or a range such as {low: 0.1, high: 1.0}; write one",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_sought_is_told(study, name, values, expected):
    assert said(study, name, values).partition(" choices: ")[0] == expected


def test_a_batch_that_processes_cannot_share_is_told(study):
    text = TUNE + "    train.batch_size: [4, 5]\ntrain: {processes_per_node: 2}\n"
    [problem] = study(text)
    assert problem.startswith("study.yaml:4: tune.space.train.batch_size[1]: 5; expected a multiple of the processes")


def test_a_term_that_stands_twice_and_a_loss_that_is_sought_whole_are_told(study):
    [problem] = study(TUNE + "    train.loss.dice: [1.0, 2.0]\ntrain: {loss: dice + 2*dice}\n")
    assert "stands 2 times in train.loss" in problem
    [problem] = study(TUNE + "    train.loss.dice: [1.0, 2.0]\n    train.loss: [bce + dice, dice]\n")
    assert "but train.loss is sought as a whole" in problem


def test_trials_without_a_space_and_epochs_that_are_said_twice_are_told(study):
    assert study("tune: {trials: 5}\n") == [
        "study.yaml:1: tune.trials: 5, but tune.space is empty; expected values to seek; name some in space, or set 0"
    ]
    [problem] = study(TUNE + "    train.epochs: [2, 4]\n  epochs: 2\n")
    assert "is sought, but tune.epochs sets it for all trials" in problem


def test_options_that_optuna_does_not_have_are_told(study):
    [problem] = study("tune: {sampler_options: {startup: 5}}\n")
    start = (
        "study.yaml:1: tune.sampler_options.startup: unknown option of sampler tpe; did you mean 'n_startup_trials'?"
    )
    assert problem.startswith(start)
    [problem] = study("tune: {pruner: none, pruner_options: {percentile: 25.0}}\n")
    assert problem.endswith("unknown option of pruner none; it has none; remove it")
    [problem] = study("tune: {pruner_options: {n_warmup_steps: many}}\n")
    assert problem.endswith("'many'; expected a whole number; give one")
    [problem] = study("tune: {pruner: percentile}\n")
    assert "has no 'percentile'" in problem


def test_the_options_that_the_check_knows_are_optunas():
    classes = {
        "tpe": optuna.samplers.TPESampler,
        "random": optuna.samplers.RandomSampler,
        "qmc": optuna.samplers.QMCSampler,
        "gp": optuna.samplers.GPSampler,
        "none": optuna.pruners.NopPruner,
        "median": optuna.pruners.MedianPruner,
        "percentile": optuna.pruners.PercentilePruner,
        "hyperband": optuna.pruners.HyperbandPruner,
    }
    for name, options in {**SAMPLERS, **PRUNERS}.items():
        assert set(options) <= set(inspect.signature(classes[name].__init__).parameters), name
