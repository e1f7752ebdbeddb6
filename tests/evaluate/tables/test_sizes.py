"""Scores by the size of nuclei equal what is worked out by hand from the counts of each image."""

import numpy as np
import pandas as pd
import pytest

from histoloom.evaluate.counting.stored_counts import Counts
from histoloom.evaluate.statistics.bootstrap import resample
from histoloom.evaluate.tables.sizes import SIZE_COLUMNS, size_rows

SIZES = ("under 20 µm²", "20 µm² and more")


def made(sizes, groups, names=None, folds=None):
    images = pd.DataFrame(
        {
            "fold": folds or [0] * len(sizes),
            "name": names or [f"image{place}" for place in range(len(sizes))],
            "group": list(groups),
            "stratum": "",
        }
    )
    return Counts("lab", "unet", images, {"sizes": np.array(sizes, dtype=float)}, "um", SIZES)


def rows_of(counts, groups="ab"):
    drawn = resample(groups, 2000, np.random.default_rng(0))
    rows = [dict(zip(SIZE_COLUMNS, row, strict=True)) for row in size_rows(counts, "model", drawn)]
    return {(row["metric"], row["size"]): row for row in rows}


def test_counts_of_all_images_are_added_up_before_dividing():
    # Small: tp 2, fp 1, fn 3, IoU 1.5 -> PQ 1.5 / 4, DQ 2 / 4, SQ .75; large: tp 4, no error, IoU 3.6.
    rows = rows_of(made([[[2, 0, 1, 1.5], [1, 0, 0, 0.9]], [[0, 1, 2, 0], [3, 0, 0, 2.7]]], "ab"))
    assert {key: row["mean"] for key, row in rows.items()} == pytest.approx(
        {
            ("pq", SIZES[0]): 0.375,
            ("pq", SIZES[1]): 0.9,
            ("dq", SIZES[0]): 0.5,
            ("dq", SIZES[1]): 1.0,
            ("sq", SIZES[0]): 0.75,
            ("sq", SIZES[1]): 0.9,
        }
    )
    assert {row["size"]: row["nuclei"] for row in rows.values()} == {SIZES[0]: 5, SIZES[1]: 4}


def test_the_interval_spans_what_groups_drawn_twice_would_give():
    # Small nuclei: PQ of group a twice is 1.5 / 2.5 = .6, of group b twice 0; each is drawn one time in four.
    row = rows_of(made([[[2, 0, 1, 1.5], [0, 0, 0, 0]], [[0, 1, 2, 0], [0, 0, 0, 0]]], "ab"))["pq", SIZES[0]]
    assert (row["low"], row["high"]) == pytest.approx((0.0, 0.6))


def test_a_size_without_nuclei_has_no_score():
    rows = rows_of(made([[[2, 0, 1, 1.5], [0, 0, 0, 0]]], "a"), "a")
    large = rows["pq", SIZES[1]]
    assert (large["mean"], large["low"], large["nuclei"]) == (None, None, 0)
    assert rows["pq", SIZES[0]]["low"] is None  # one group cannot be resampled


def test_an_image_that_two_folds_tested_counts_once():
    # Image x: of two small nuclei one fold finds both, the other none; image y, tested once: two of two. Half of x's
    # are found: tp 3, fn 1 of 4 true nuclei, IoU 3 x .8.
    sizes = [[[2, 0, 0, 1.6], [0, 0, 0, 0]], [[0, 0, 2, 0], [0, 0, 0, 0]], [[2, 0, 0, 1.6], [0, 0, 0, 0]]]
    rows = rows_of(made(sizes, "aab", names=["x", "x", "y"], folds=[0, 1, 0]))
    assert rows["pq", SIZES[0]]["mean"] == pytest.approx(2.4 / 3.5)
    assert rows["dq", SIZES[0]]["mean"] == pytest.approx(3 / 3.5, abs=1e-6)
    assert rows["pq", SIZES[0]]["nuclei"] == 4
