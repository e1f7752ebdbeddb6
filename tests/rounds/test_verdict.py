"""When rounds end and which is kept, and what changed between two, by hand."""

import math

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.rounds.acceptance import Judgement
from histoloom.rounds.drift import DRIFT_COLUMNS, Drift
from histoloom.rounds.verdict import COUNT, GOES_ON, PATIENCE, held_out_score, verdict


@pytest.mark.parametrize(
    ("scores", "count", "patience", "best", "reason"),
    [
        ([0.5], 2, 1, 0, GOES_ON),
        ([0.5, 0.6], 2, 1, 1, GOES_ON),
        ([0.5, 0.6, 0.7], 2, 1, 2, COUNT),
        ([0.5, 0.6, 0.6], 9, 1, 1, PATIENCE),  # as good is not better
        ([0.5, 0.4], 9, 1, 0, PATIENCE),
        ([0.5, 0.4], 9, 2, 0, GOES_ON),
        ([0.5, 0.4, 0.6], 9, 2, 2, GOES_ON),
        ([0.5, 0.4, 0.45], 9, 2, 0, PATIENCE),
        ([math.nan, 0.1], 9, 1, 1, GOES_ON),
        ([math.nan, math.nan], 9, 1, 0, PATIENCE),
        ([0.5], 0, 1, 0, COUNT),
    ],
)
def test_rounds_end_at_their_count_or_without_a_better_score(scores, count, patience, best, reason):
    found = verdict(scores, count, patience)
    assert (found.best, found.reason) == (best, reason)
    assert found.goes_on == (reason == GOES_ON)


def test_an_undefined_score_is_told_as_none():
    assert verdict([math.nan, 0.5], 3, 1).scores == [None, 0.5]


def test_the_score_is_that_of_the_kept_epoch():
    rows = [{"best": "1", "val_score": "0.4"}, {"best": "1", "val_score": "0.6"}, {"best": "0", "val_score": "0.5"}]
    assert held_out_score(rows, "history.csv") == 0.6
    assert math.isnan(held_out_score([{"best": "1", "val_score": ""}], "history.csv"))
    with pytest.raises(InputError, match="no epoch is marked as best"):
        held_out_score([{"best": "0", "val_score": "0.5"}], "history.csv")


def test_drift_counts_what_was_added_changed_and_withdrawn_by_class():
    predicted = np.array([[0, 1, 1, 1, 0, 1, 0]], np.uint8)
    before = np.array([[0, 0, 255, 128, 129, 129, 255]], np.uint8)
    after = np.array([[0, 0, 129, 129, 255, 129, 255]], np.uint8)
    drift = Drift(2)
    drift.count(Judgement(predicted, np.zeros((1, 7), np.uint16), np.zeros((1, 7), bool)), before, after)
    rows = [dict(zip(DRIFT_COLUMNS, row, strict=True)) for row in drift.rows(["background", "tumour"])]
    assert rows == [
        {"class": "background", "drawn": 2, "named": 1, "agreeing": 1, "predicted": 2, "accepted": 0, "added": 0,
         "changed": 0, "withdrawn": 0, "agreement_iou": 0.5},
        {"class": "tumour", "drawn": 0, "named": 1, "agreeing": 0, "predicted": 3, "accepted": 3, "added": 1,
         "changed": 1, "withdrawn": 1, "agreement_iou": None},
    ]  # fmt: skip


def test_accepted_is_what_was_before_and_was_added_without_what_was_withdrawn():
    rng = np.random.default_rng(0)
    drawn = rng.choice([0, 1, 255], (30, 30)).astype(np.uint8)
    before, after = (np.where(drawn == 255, rng.choice([128, 129, 255], drawn.shape), drawn).astype(np.uint8)
                     for _ in range(2))  # fmt: skip
    drift = Drift(2)
    drift.count(Judgement(drawn % 2, np.zeros(drawn.shape, np.uint16), drawn > 1), before, after)
    counts = {name: int(values.sum()) for name, values in drift.counts.items()}
    was = int(np.isin(before, (128, 129)).sum())
    assert counts["accepted"] == was + counts["added"] - counts["withdrawn"]
    assert counts["drawn"] == counts["named"] == int((drawn != 255).sum())
