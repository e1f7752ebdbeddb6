"""When rounds end and which of them is kept: by people's held-out pixels alone, never by what a model labelled."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from histoloom.errors import InputError

GOES_ON, COUNT, PATIENCE = "goes_on", "count", "patience"
WORDS = {
    GOES_ON: "goes on",
    COUNT: "all rounds that rounds.count allows were done",
    PATIENCE: "no better score on held-out people's pixels for rounds.patience rounds",
}


@dataclass(frozen=True)
class Verdict:
    """What is decided after a round: the scores of all rounds so far, the best of them, and whether another follows.

    An undefined score (no annotated pixel of a class that counts) is None.
    """

    scores: list[float | None]
    best: int
    reason: str

    @property
    def goes_on(self) -> bool:
        """Whether another round follows."""
        return self.reason == GOES_ON


def verdict(scores: Sequence[float], count: int, patience: int) -> Verdict:
    """Decide after the round of the last of `scores`, of which the first is that of training without rounds.

    The best is the first with the highest score. Rounds end after `count` of them, and after `patience` without a
    better one.

    >>> verdict([0.5, 0.7, 0.7], count=5, patience=1)
    Verdict(scores=[0.5, 0.7, 0.7], best=1, reason='patience')
    """
    assert scores
    known = [-math.inf if math.isnan(score) else score for score in scores]
    best, last = known.index(max(known)), len(known) - 1
    reason = COUNT if last >= count else PATIENCE if last - best >= patience else GOES_ON
    return Verdict([None if math.isnan(score) else score for score in scores], best, reason)


def held_out_score(history: Sequence[Mapping[str, str]], source: str) -> float:
    """The validation score of the epoch whose weights were kept, from the rows of history.csv; NaN if undefined.

    Raises InputError where no epoch was kept.
    """
    kept = [row for row in history if row["best"] == "1"]
    if not kept:
        raise InputError(f"{source}: no epoch is marked as best; expected one; train that round again")
    return float(kept[-1]["val_score"] or "nan")
