"""Samplers seek in the whole space, whatever the config's own values are."""

import pytest
from scipy.stats import qmc

from histoloom.tune.samplers import SAMPLERS, CountedQMC
from histoloom.tune.space import read_space
from histoloom.tune.trials import Search, Trials

SPACE = read_space(
    {
        "train.learning_rate": {"low": 1.0e-2, "high": 1.0e-1},
        "train.schedule_options.warm_up_steps": {"low": 100.0, "high": 200.0},
    }
)
OUTSIDE = {"train.learning_rate": 5e-3}  # and the other is not set


def scored_trials(folder, sampler, total, own=OUTSIDE):
    """Trials that are scored one after the other."""
    trials = Trials(folder, SPACE, own, Search(0, 4, sampler))
    for number in range(total):
        trials.score(trials.begin(0, total), number / 10, 1.0)
    return trials.all()


@pytest.mark.parametrize("own", [OUTSIDE, {}, {"train.learning_rate": 2e-2}])
@pytest.mark.parametrize("name", ["tpe", "gp", "qmc"])
def test_values_are_sought_together_though_the_configs_own_lie_outside(tmp_path, monkeypatch, name, own):
    sampler = {**SAMPLERS, "qmc": CountedQMC}[name]
    inferred, found = sampler.infer_relative_search_space, []

    def noted(self, study, trial):
        found.append(sorted(inferred(self, study, trial)))
        return inferred(self, study, trial)

    monkeypatch.setattr(sampler, "infer_relative_search_space", noted)
    assert scored_trials(tmp_path, name, 4, own)[0].params == {}
    assert found[-1] == sorted(SPACE)


def test_the_points_of_a_sequence_are_those_of_the_trials_numbers(tmp_path):
    points = qmc.scale(qmc.Sobol(2, scramble=False).random(4), [1e-2, 100.0], [1e-1, 200.0])
    trials = scored_trials(tmp_path, "qmc", 4)
    for each, point in zip(trials[1:], points[1:], strict=True):
        assert list(each.params.values()) == pytest.approx(point)
