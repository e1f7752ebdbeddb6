"""The trials of a study, kept in its journal: the next one is begun, reported on, and ended: scored, behind or failed.

The number of a trial is its place in the journal. One that a killed worker left is taken up again under its number and
with its values, so that a study that was broken off has the same trials as one that was not. One that draws the values
of a trial that has ended is not trained again, since one seed gives one score: it ends as that one did.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages.journal import JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from histoloom.tune.journal import GRACE_SECONDS, held, opened
from histoloom.tune.samplers import NAME, distributions, drawn, pruner_of, sampler_of
from histoloom.tune.space import Choices, Range

JOURNAL = "journal.log"
CONFUSIONS = "scored"
STATES = {
    TrialState.COMPLETE: "scored",
    TrialState.PRUNED: "behind",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


@dataclass(frozen=True)
class Search:
    """What decides, with the space, which trials are made: seed, sampler, pruner, and the epochs of a whole trial."""

    seed: int
    epochs: int
    sampler: str = "tpe"
    sampler_options: dict[str, Any] = field(default_factory=dict)
    pruner: str = "median"
    pruner_options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A trial that is at work: its number from 0, and its values by dotted name. Number 0 has the config's own."""

    number: int
    values: dict[str, Any]
    storage_id: int

    @property
    def is_default(self) -> bool:
        """Whether its values are those that the config has without tuning."""
        return self.number == 0


class Trials:
    """The trials in the journal of a folder, as one worker sees them."""

    def __init__(
        self,
        folder: Path,
        space: Mapping[str, Range | Choices],
        own: Mapping[str, Any],
        search: Search,
        grace_seconds: int = GRACE_SECONDS,
    ) -> None:
        """Open the journal, or begin one; `own` are the values that the config has for the names of `space`."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._own, self._search = distributions(space), dict(own), search
        self._storage = opened(folder / JOURNAL, grace_seconds)
        self._gate = JournalFileOpenLock(str(folder / "draw"), grace_seconds)
        pruner = pruner_of(search.pruner, search.pruner_options, search.epochs)
        # Refuses its options before anything is begun.
        sampler_of(search.sampler, search.sampler_options, self._space, 0, 0)
        self._study = optuna.create_study(
            storage=self._storage, study_name=NAME, direction="maximize", pruner=pruner, load_if_exists=True
        )
        self._study_id = self._storage.get_study_id_from_name(NAME)

    def all(self) -> list[FrozenTrial]:
        """All trials that were begun, by number."""
        return self._study.get_trials(deepcopy=False)

    def left_by(self, worker: int, total: int) -> list[Trial]:
        """Trials that a worker has begun and not ended, of the first `total`; later ones count no more."""
        return [self._taken(each) for each in self.running(total) if each.user_attrs["worker"] == worker]

    def running(self, total: int) -> list[FrozenTrial]:
        """Those of the first `total` trials that nobody has ended."""
        return [each for each in self.all()[:total] if each.state == TrialState.RUNNING]

    def begin(self, worker: int, total: int) -> Trial | None:
        """Begin another trial; None where `total` have been begun already.

        Those that draw the values of one that has ended are noted on the way, each with all that it has in one step.
        """
        with held(self._gate):  # else two workers would draw the same number
            while len(before := self._study.get_trials(deepcopy=True)) < total:
                values = self._values(before)
                twin = next((each for each in before if _is_over_with(each, values)), None)
                template = _template(values, self._space, worker, twin)
                storage_id = self._storage.create_new_trial(self._study_id, template)
                if not twin:
                    break
            else:
                return None
        # By its id: a worker that stood still for so long that it lost the lock may find another's at the next number.
        return self._taken(self._storage.get_trial(storage_id))

    def report(self, trial: Trial, epoch: int, score: float) -> bool:
        """Note the score after an epoch; whether the trial lags so far behind that it is to end.

        An epoch that was noted before, by a worker that was killed then, is noted again only with another score, of a
        training that began anew. No trial lags before it is where it was. The first one runs to its end, since others
        are compared with it.
        """
        noted = self._frozen(trial).intermediate_values
        if not math.isfinite(score):
            return False
        if noted.get(epoch) != score:
            self._storage.set_trial_intermediate_value(trial.storage_id, epoch, score)
        if noted and epoch < max(noted):
            return False
        return not trial.is_default and bool(self._study.pruner.prune(self._study, self._frozen(trial)))

    def score(self, trial: Trial, score: float, seconds: float) -> None:
        """End a trial with its score."""
        self._end(trial, TrialState.COMPLETE, [score], seconds=seconds)

    def end_behind(self, trial: Trial, seconds: float) -> None:
        """End a trial that lags behind."""
        noted = self._frozen(trial).intermediate_values
        reason = f"behind in epoch {max(noted)}"
        self._end(trial, TrialState.PRUNED, [noted[max(noted)]], seconds=seconds, reason=reason)

    def fail(self, trial: Trial, reason: str, seconds: float) -> None:
        """End a trial without a score."""
        self._end(trial, TrialState.FAIL, None, seconds=seconds, reason=reason)

    def count_kill(self, trial: Trial) -> int:
        """Note that the trial's training was killed; how often that has happened."""
        kills = self._frozen(trial).user_attrs.get("kills", 0) + 1
        self._storage.set_trial_user_attr(trial.storage_id, "kills", kills)
        return kills

    def _values(self, before: Sequence[FrozenTrial]) -> dict[str, Any]:
        if not before:
            return self._own
        search = self._search
        sampler = sampler_of(search.sampler, search.sampler_options, self._space, search.seed, len(before))
        return drawn(sampler, self._space, before)

    def _taken(self, frozen: FrozenTrial) -> Trial:
        storage_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, frozen.number)
        return Trial(frozen.number, frozen.user_attrs["values"], storage_id)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        return self._storage.get_trial(trial.storage_id)

    def _end(self, trial: Trial, state: TrialState, values: list[float] | None, **facts: Any) -> None:
        for name, value in facts.items():
            self._storage.set_trial_user_attr(trial.storage_id, name, value)
        self._storage.set_trial_state_values(trial.storage_id, state, values)


def confusions_of(folder: Path, number: int) -> Path:
    """Where a study keeps the confusion of each validation image, of a scored trial's best epoch."""
    return folder / CONFUSIONS / f"{number}.npz"


def _is_over_with(trial: FrozenTrial, values: Mapping[str, Any]) -> bool:
    return trial.state.is_finished() and trial.user_attrs["values"] == values


def _template(
    values: Mapping[str, Any], space: Mapping[str, BaseDistribution], worker: int, twin: FrozenTrial | None
) -> FrozenTrial:
    """A trial with all its values at once: a step for each would let a kill leave some of them.

    Where its `twin` has ended with these values already, it has that one's end. The config's own values may lie outside
    of the space: samplers cannot learn of them then, and it has no params.
    """
    known = {"values": dict(values), "worker": worker}
    facts: dict[str, Any] = {"state": TrialState.RUNNING, "user_attrs": known}
    if twin:
        known |= {"seconds": 0.0, "reason": f"has the values of trial {twin.number}, so its end"}
        facts |= {"state": twin.state, "value": twin.value, "intermediate_values": twin.intermediate_values}
    try:
        return create_trial(params=dict(values), distributions=dict(space), **facts)
    except ValueError:  # as Optuna refuses what is missing or outside
        return create_trial(**facts)
