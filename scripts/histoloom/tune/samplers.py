"""How the values of the next trial are drawn: Optuna's samplers, seeded anew for each trial.

So a draw depends on the study's seed, the number of the trial and the trials before it, and on nothing else: not on how
often or where the study was broken off.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PercentilePruner
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from histoloom.errors import InputError
from histoloom.tune.space import Choices, Range

NAME = "tuning"  # of every study: Hyperband draws its brackets from it
SAMPLERS = {"tpe": TPESampler, "random": RandomSampler, "gp": GPSampler}
PRUNERS = {"none": NopPruner, "median": MedianPruner, "percentile": PercentilePruner}


class CountedQMC(QMCSampler):
    """Points of a Sobol or Halton sequence by the number of the trial; Optuna counts them in its storage instead.

    All trials share one sequence, so its seed, which matters for a scrambled one, is the study's. Its axes are those of
    the space; Optuna takes those of the first trial that has ended, which may have none.
    """

    def __init__(self, space: Mapping[str, BaseDistribution], seed: int, number: int, **options: Any) -> None:
        independent = RandomSampler(seed=seed_of(seed, number))
        super().__init__(seed=seed, independent_sampler=independent, warn_independent_sampling=False, **options)
        self._space, self._number = dict(space), number

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space."""
        return self._space

    # The only name private to Optuna: the locked version has it, and tests/tune/test_samplers.py tells if one has not.
    def _find_sample_id(self, study: optuna.Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


def seed_of(seed: int, number: int) -> int:
    """The seed of one trial, of the study's seed and the trial's number.

    >>> seed_of(0, 1) == seed_of(0, 1), seed_of(0, 1) == seed_of(1, 0)
    (True, False)
    """
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def sampler_of(
    name: str, options: Mapping[str, Any], space: Mapping[str, BaseDistribution], seed: int, number: int
) -> BaseSampler:
    """The sampler of one trial in `space`; raises InputError for options that it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna's word for options that may change
        try:
            if name == "qmc":
                return CountedQMC(space, seed, number, **options)
            return SAMPLERS[name](seed=seed_of(seed, number), **options)
        except (TypeError, ValueError) as error:
            raise _refused("sampler", name, options, error) from error


def pruner_of(name: str, options: Mapping[str, Any], epochs: int) -> BasePruner:
    """What ends trials that lag behind; `epochs` are those of a whole trial. Raises InputError for wrong options."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            if name == "hyperband":
                return HyperbandPruner(max_resource=epochs, **options)
            return PRUNERS[name](**options)
        except (TypeError, ValueError) as error:
            raise _refused("pruner", name, options, error) from error


def distributions(space: Mapping[str, Range | Choices]) -> dict[str, BaseDistribution]:
    """The space in Optuna's words."""
    return {name: _distribution(each) for name, each in space.items()}


def drawn(sampler: BaseSampler, space: Mapping[str, BaseDistribution], trials: Sequence[FrozenTrial]) -> dict[str, Any]:
    """The values of one more trial after `trials`, as Optuna draws them, in a study that is kept nowhere.

    The storage then learns of them in one step, so that no kill leaves a trial with some of its values. Samplers seek
    only what all trials that they see have values of, so they see none that lacks some.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(study_name=NAME, direction="maximize", sampler=sampler)
        study.add_trials(trial for trial in trials if trial.params.keys() == space.keys())
        asked = study.ask(dict(space))
    return asked.params


def _distribution(each: Range | Choices) -> BaseDistribution:
    if not isinstance(each, Range):
        return CategoricalDistribution(each)
    if each.is_whole:
        return IntDistribution(int(each.low), int(each.high), log=each.log, step=int(each.step or 1))
    return FloatDistribution(float(each.low), float(each.high), log=each.log, step=each.step)


def _refused(kind: str, name: str, options: Mapping[str, Any], error: Exception) -> InputError:
    return InputError(f"tune.{kind}_options: {dict(options)} ({error}); expected options of {name}; mend them")
