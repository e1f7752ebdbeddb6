"""A worker: makes one trial after the other until there are enough, and ends them by what their trainings tell."""

import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histoloom.errors import HeldError, InputError, StoppedError
from histoloom.lease import leased
from histoloom.train.scores import Epoch
from histoloom.tune.space import overlaid
from histoloom.tune.training import Training, is_of_the_place, started
from histoloom.tune.trials import JOURNAL, Trial, Trials, confusions_of

POLL_SECONDS = 0.2
KILLS = 3  # of its training alone, as for lack of memory, after which a trial counts as failed
KILLED = "was killed (SIGKILL)"  # launching.killed_note


def make_trials(
    trials: Trials, worker: int, workers: int, total: int, folder: Path, make: Callable[[Trial], None]
) -> int:
    """Make trials until `total` are begun; how many were made here.

    First come those that this worker left when it was killed: the caller holds its lease. Last come those of workers
    that the study has no more.
    """
    made = 0
    for trial in trials.left_by(worker, total):
        make(trial)
        made += 1
    while (trial := trials.begin(worker, total)) is not None:
        make(trial)
        made += 1
    gone = sorted({each.user_attrs["worker"] for each in trials.running(total)} - set(range(workers)) - {worker})
    return made + sum(_made_for(trials, other, total, folder, make) for other in gone)


def lease_folder(folder: Path, worker: int) -> Path:
    """What the lease of a worker is on, in the folder of the study."""
    return folder / f"worker{worker}"


def clear_ended(trials: Trials, folder: Path) -> None:
    """Remove what the trainings of ended trials have left, where a worker was killed before it did so."""
    for each in trials.all():  # read once: another worker may begin one meanwhile
        if each.state.is_finished():
            shutil.rmtree(_work(folder, each.number), ignore_errors=True)


def _work(folder: Path, number: int) -> Path:
    return folder / f"trial{number}"


def _made_for(trials: Trials, other: int, total: int, folder: Path, make: Callable[[Trial], None]) -> int:
    with ExitStack() as entered:
        try:
            entered.enter_context(leased(lease_folder(folder, other)))
        except HeldError:
            return 0  # it is still at work, or another one has taken its trials over
        left = trials.left_by(other, total)
        for trial in left:
            make(trial)
        return len(left)


@dataclass(frozen=True)
class Maker:
    """Makes a trial by training; `words` and `values` as `started` has them, `folder` is the study's.

    `check` raises HeldError where the worker's place was taken, `asked` is whether it is to stop.
    """

    trials: Trials
    words: Sequence[str]
    values: Mapping[str, Mapping[str, Any]]
    folder: Path
    check: Callable[[], None]
    asked: Callable[[], bool]
    tell: Callable[[str], None]

    def __call__(self, trial: Trial) -> None:
        """Train, and end the trial as scored, behind or failed.

        Raises StoppedError where this worker was asked to stop, HeldError and InputError for what is not the trial's
        fault: it then stays begun, and goes on when the worker is started again.
        """
        work = _work(self.folder, trial.number)
        while not self._is_ended(trial, work):
            self.tell(f"trial {trial.number}: its training was killed; it is started again")
        shutil.rmtree(work, ignore_errors=True)

    def _is_ended(self, trial: Trial, work: Path) -> bool:
        if self.asked():
            raise self._stopped(trial)
        seen, status = 0, None
        with started(self.words, overlaid(self.values, trial.values), work) as training:
            while status is None:
                status = training.status(POLL_SECONDS)
                self.check()
                epochs = training.epochs()  # after the status: of one that has ended these are all
                if any(self._lags(trial, each) for each in epochs[seen:]):
                    self.trials.end_behind(trial, _seconds(epochs))
                    self.tell(f"trial {trial.number}: ended, behind others")
                    return True
                seen = len(epochs)
                if status is None and self.asked():
                    training.stop()
                    raise self._stopped(trial)
        return self._is_judged(trial, training, status, epochs)

    def _lags(self, trial: Trial, epoch: Epoch) -> bool:
        return self.trials.report(trial, epoch.epoch, epoch.val_score) and not epoch.ended

    def _is_judged(self, trial: Trial, training: Training, status: int, epochs: Sequence[Epoch]) -> bool:
        """End the trial by what its training, which has ended, tells; False where it is to be started again."""
        complaint = training.complaint()
        if status == StoppedError.status:
            raise self._stopped(trial)
        if status == 0:
            self._score(trial, training, epochs)
        elif KILLED in complaint and self.trials.count_kill(trial) < KILLS:
            return False
        elif status == HeldError.status:
            raise HeldError(complaint)
        elif trial.is_default or not complaint or is_of_the_place(complaint):
            raise _broken_off(trial, training, status)
        else:
            self._fail(trial, complaint, epochs)
        return True

    def _score(self, trial: Trial, training: Training, epochs: Sequence[Epoch]) -> None:
        best = [each for each in epochs if each.best][-1]
        if epochs[-1].ended == "diverged":
            self._fail(trial, f"diverged in epoch {epochs[-1].epoch}", epochs)
        elif math.isnan(best.val_score):
            self._fail(trial, "its score is undefined in every epoch", epochs)
        else:
            training.keep_confusions(confusions_of(self.folder, trial.number))
            self.trials.score(trial, best.val_score, _seconds(epochs))
            self.tell(f"trial {trial.number}: {best.val_score:.4f} in epoch {best.epoch}")

    def _fail(self, trial: Trial, reason: str, epochs: Sequence[Epoch]) -> None:
        reason = " ".join(reason.split())
        self.trials.fail(trial, reason, _seconds(epochs))
        self.tell(f"trial {trial.number}: failed: {reason}")

    def _stopped(self, trial: Trial) -> StoppedError:
        return StoppedError(f"trial {trial.number} is kept in {self.folder / JOURNAL}; started again it goes on")


def _seconds(epochs: Iterable[Epoch]) -> float:
    return round(math.fsum(each.seconds for each in epochs), 3)


def _broken_off(trial: Trial, training: Training, status: int) -> InputError:
    """Of an error that is not the values' fault; of the first trial, which has the config's own, any is told."""
    if complaint := training.complaint():
        return InputError(complaint)
    last = training.said().strip().splitlines()[-1:]
    return InputError(
        f"the training of trial {trial.number} broke off with status {status} ({' '.join(last)}); expected a score, or "
        f"an error that tells what to mend;\nread {training.log}"
    )
