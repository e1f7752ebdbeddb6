"""What may not be sought, and what somebody who tries is told."""

import inspect

import optuna
import pytest

from histoloom.study.checks.search_options import PRUNERS, SAMPLERS

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
    assert problem.endswith("'many'; expected a whole number, at least 0")
    [problem] = study("tune: {pruner: percentile}\n")
    assert "has no 'percentile'" in problem


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("sampler_options: {n_ei_candidates: 0}", "sampler_options.n_ei_candidates: 0; expected at least 1"),
        ("sampler_options: {n_startup_trials: -1}", "sampler_options.n_startup_trials: -1; expected at least 0"),
        (
            "sampler_options: {group: true, multivariate: false}",
            "sampler_options.group: true, with multivariate: false; expected both true; mend one of them",
        ),
        (
            "sampler: qmc, sampler_options: {qmc_type: nope}",
            "sampler_options.qmc_type: nope; expected sobol or halton; choices: sobol, halton",
        ),
        ("pruner_options: {interval_steps: 0}", "pruner_options.interval_steps: 0; expected at least 1"),
        (
            "pruner: percentile, pruner_options: {percentile: 250}",
            "pruner_options.percentile: 250; expected at most 100",
        ),
        (
            "pruner: hyperband, pruner_options: {reduction_factor: 1}",
            "pruner_options.reduction_factor: 1; expected at least 2",
        ),
        ("pruner: hyperband, pruner_options: {min_resource: 0}", "pruner_options.min_resource: 0; expected at least 1"),
        (
            "pruner: hyperband, pruner_options: {max_resource: 0}",
            "pruner_options.max_resource: unknown option of pruner hyperband; did you mean 'min_resource'?",
        ),
    ],
)
def test_options_beyond_their_bounds_are_told_before_anything_runs(study, options, expected):
    [problem] = study(f"tune: {{{options}}}\n")
    assert problem.partition(" choices: min")[0] == f"study.yaml:1: tune.{expected}"


@pytest.mark.parametrize(
    ("space", "train", "expected"),
    [
        (
            "train.optimiser_options.momentum: [0.8, 0.9]",
            "",
            "momentum[0]: unknown option of optimiser adam; choices: betas, ",
        ),
        (
            "train.optimiser_options.momentum: [0.8, 0.9], train.optimiser: [sgd, adam]",
            "",
            "momentum[0]: unknown option of optimiser adam; choices: betas, ",
        ),
        (
            "train.optimiser: [sgd, adam]",
            "optimiser: sgd, optimiser_options: {momentum: 0.9}",
            "train.optimiser[1]: unknown option of optimiser adam; choices: betas, ",
        ),
        (
            "train.optimiser_options.nesterov: [true, false], train.optimiser_options.momentum: {low: 0.0, high: 0.9}",
            "optimiser: sgd",
            "nesterov[0]: true, with momentum 0.0 and dampening 0; expected momentum above 0 ",
        ),
        (
            "train.optimiser_options.momentum: {low: -0.5, high: 0.9}",
            "optimiser: sgd",
            "momentum.low: -0.5; expected at least 0",
        ),
        (
            "train.optimiser_options.lr: [0.1, 0.2]",
            "optimiser: torch.optim.RMSprop",
            "lr[0]: is a setting of its own; expected it as train.learning_rate; move it there",
        ),
        (
            "train.schedule_options.power: [1.0, 2.0], train.schedule: [poly, cosine]",
            "schedule: poly",
            "power[0]: unknown option of schedule cosine; ",
        ),
        (
            "train.batch_size: {low: 2, high: 8}",
            "processes_per_node: 2",
            "batch_size: 3; expected a multiple of the processes that share it",
        ),
        (
            "train.batch_size: [4, 8], train.accumulate: [2, 8]",
            "",
            "accumulate[1]: 8; expected at most the tiles of a process (4); lower it",
        ),
        (
            "train.loss.dice: [0, 1]",
            "loss: dice",
            'dice[0]: "0*dice" has no weight above 0; expected one at least, else nothing is learnt; raise one',
        ),
        (
            "train.loss.dice: {low: 0.0, high: 1.0}, train.loss.bce: {low: 0.0, high: 1.0}",
            "loss: dice + bce",
            'dice.low: "0.0*dice + 0.0*bce" has no weight above 0; expected one at least, ',
        ),
        (
            "train.loss: [bce + hv, bce]",
            "loss: bce + hv}\npredict: {method: hover",
            'loss[1]: hover needs instance maps, which train.loss "bce" does not teach; ',
        ),
    ],
)  # fmt: skip
def test_what_training_would_refuse_of_values_together_is_told(study, space, train, expected):
    own = f"train: {{{train}}}\n" if train else ""
    [problem] = study(f"tune: {{trials: 5, space: {{{space}}}}}\n{own}")
    assert problem.startswith("study.yaml:1: tune.space.train.")
    assert expected in problem


def test_values_that_go_together_may_be_sought(study):
    space = (
        "train.optimiser_options.momentum: {low: 0.5, high: 0.9}, train.optimiser_options.nesterov: [true, false], "
        "train.batch_size: {low: 4, high: 16, step: 4}, train.accumulate: [1, 2], "
        "train.loss.dice: {low: 0.0, high: 1.0}"
    )
    train = "optimiser: sgd, processes_per_node: 2, loss: bce + dice"
    assert study(f"tune: {{trials: 5, space: {{{space}}}}}\ntrain: {{{train}}}\n") == []


def test_workers_that_would_have_nothing_to_do_are_told(study):
    assert study("tune: {trials: 2, workers: 3, space: {train.batch_size: [4, 8]}}\n") == [
        "study.yaml:1: tune.workers: 3; expected at most tune.trials (2), since each makes one at a time; lower it"
    ]
    assert study("tune: {trials: 3, workers: 3, space: {train.batch_size: [4, 8]}}\n") == []
    assert study("tune: {trials: 0, workers: 3}\n") == []


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
