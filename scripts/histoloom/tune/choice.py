"""What a study found: the best trial, a table of all, and how much each value mattered."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from histoloom.errors import InputError
from histoloom.tune.trials import STATES

COLUMNS = ("trial", "state", "score", "epochs", "seconds", "reason")  # and then the values by name
IMPORTANCE_COLUMNS = ("value", "importance")
FEWEST = 10  # scored trials; PED-ANOVA compares the best tenth of them with all


@dataclass(frozen=True)
class Found:
    """The best trial of a study, and its first one, which has the config's own values; None: it has no score."""

    best: FrozenTrial
    default: FrozenTrial | None

    def facts(self) -> dict[str, Any]:
        """What is handed on; it does not change when more trials find nothing better."""
        return {
            "values": dict(sorted(self.best.user_attrs["values"].items())),
            "trial": self.best.number,
            "score": self.best.value,
            "default_score": self.default.value if self.default else None,
        }


def best_of(trials: Sequence[FrozenTrial], journal: str) -> Found:
    """The scored trial of the highest score, of equal ones the first.

    Raises InputError where none has a score, or all of other values than the first one's failed: nothing was compared.
    """
    scored = [each for each in trials if each.state == TrialState.COMPLETE]
    if not scored:
        raise InputError(
            f"{journal}: none of {len(trials)} trials has a score; expected one at least; see in the log of rule tune "
            "why they failed, and narrow tune.space"
        )
    sought = [each for each in trials if each.user_attrs["values"] != trials[0].user_attrs["values"]]
    if sought and all(each.state == TrialState.FAIL for each in sought):
        raise InputError(
            f"{journal}: no trial of other values than the config's own has a score ({len(sought)} failed);\n"
            f"trial {sought[0].number}: {sought[0].user_attrs['reason']};\n"
            "expected one at least; mend tune.space, or raise tune.trials where others may do better"
        )
    default = scored[0] if scored[0].number == 0 else None
    return Found(max(scored, key=lambda each: (each.value, -each.number)), default)


def table(trials: Sequence[FrozenTrial], names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each trial; a value that a trial left to its optimiser is None.

    The score of a trial that ended behind others is that of its last epoch.
    """
    return [
        {
            "trial": each.number,
            "state": STATES[each.state],
            "score": each.value,
            "epochs": max(each.intermediate_values, default=0),
            "seconds": each.user_attrs.get("seconds"),
            "reason": "the config's own values" if each.number == 0 else each.user_attrs.get("reason", ""),
            **{name: each.user_attrs["values"].get(name) for name in names},
        }
        for each in trials
    ]


def importances(trials: Sequence[FrozenTrial]) -> dict[str, float]:
    """How much each value decides whether a trial is among the best tenth, as shares of 1; none for few trials.

    Source: Watanabe et al., PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces,
    IJCAI 2023, as Optuna has it.
    """
    scored = [each for each in trials if each.state == TrialState.COMPLETE and each.params]
    if len(scored) < FEWEST:
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(scored)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the best tenth is all: equal shares, as Optuna warns
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def ended(trials: Sequence[FrozenTrial], total: int, journal: str) -> list[FrozenTrial]:
    """The first `total` trials; raises InputError where there are fewer, or one has not ended."""
    wanted = list(trials[:total])
    running = [each.number for each in wanted if not each.state.is_finished()]
    if len(wanted) < total or running:
        raise InputError(
            f"{journal}: {len(wanted) - len(running)} of {total} trials have ended; expected all; start the workers of "
            "rule tune again"
        )
    return wanted


def shown(values: Mapping[str, Any]) -> str:
    """Values in one line, rounded to four digits.

    >>> shown({"train.learning_rate": 0.00123456, "train.batch_size": 8})
    'train.batch_size 8, train.learning_rate 0.001235'
    """
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in sorted(values.items())
    )
