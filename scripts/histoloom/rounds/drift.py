"""What changes from one round to the next: accepted pixels, and how the models agree with people where left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64, UInt8

from histoloom.marks import is_marked
from histoloom.rounds.acceptance import Judgement
from histoloom.sample import IGNORE, PSEUDO

COUNTS = ("drawn", "named", "agreeing", "predicted", "accepted", "added", "changed", "withdrawn")
DRIFT_COLUMNS = ("class", *COUNTS, "agreement_iou")


@dataclass
class Drift:
    """Pixels of each class over the training images of a round; images are counted one by one.

    Of people's pixels: drawn (of the class), named (which models that have not seen the image give the class), agreeing
    (both). Of the others: predicted (as the class), accepted, and of these added (not accepted before), changed
    (accepted as another class before); withdrawn were accepted as the class before and are of none now.
    """

    class_count: int
    counts: dict[str, Int64[np.ndarray, " classes"]] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = {name: np.zeros(self.class_count, np.int64) for name in COUNTS}

    def count(
        self,
        judgement: Judgement,
        before: UInt8[np.ndarray, "height width"],
        after: UInt8[np.ndarray, "height width"],
    ) -> None:
        """Add an image with its training masks of the round before and of this one.

        The masks agree in what people drew.
        """
        is_drawn, is_free = after < PSEUDO, after >= PSEUDO
        assert np.array_equal(before[is_drawn], after[is_drawn]), "people's pixels never change"
        was, now = is_marked(before), is_marked(after)
        marks = after - PSEUDO, before - PSEUDO
        found = {
            "drawn": after[is_drawn],
            "named": judgement.predicted[is_drawn],
            "agreeing": after[is_drawn & (judgement.predicted == after)],
            "predicted": judgement.predicted[is_free],
            "accepted": marks[0][now],
            "added": marks[0][now & (before == IGNORE)],
            "changed": marks[0][now & was & (before != after)],
            "withdrawn": marks[1][was & (after == IGNORE)],
        }
        for name, values in found.items():
            self.counts[name] += np.bincount(values, minlength=self.class_count)

    def rows(self, classes: Sequence[str]) -> list[tuple[object, ...]]:
        """As DRIFT_COLUMNS says; agreement_iou is that of people's pixels, None where they have none of the class."""
        table = zip(classes, *self.counts.values(), strict=True)
        return [(name, *map(int, counts), _iou(*map(int, counts[:3]))) for name, *counts in table]


def _iou(drawn: int, named: int, agreeing: int) -> float | None:
    return round(agreeing / (drawn + named - agreeing), 6) if drawn else None
