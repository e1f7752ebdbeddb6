"""The picture of a search: all trials, the config's own values with their interval, and where values lie."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from histoloom.files import write_table
from histoloom.report.figures.tuning import description, draw_tuning, places
from histoloom.tune.choice import COLUMNS, IMPORTANCE_COLUMNS
from histoloom.tune.gain import COLUMNS as GAIN_COLUMNS
from histoloom.tune.space import Range, read_space
from tests.report.figures.test_drawing_scripts import run

SPACE = {"train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "train.batch_size": [4, 8]}
SCORE = "dice (foreground) on the validation part"


def trial(number, state, score, rate, batch, reason=""):
    facts = zip(COLUMNS, (number, state, score, 3, 1.5, reason), strict=True)
    return {name: "" if value is None else str(value) for name, value in facts} | {
        "train.learning_rate": str(rate),
        "train.batch_size": str(batch),
    }


TRIALS = [
    trial(0, "scored", 0.6, 1e-3, 8),
    trial(1, "scored", 0.7, 1e-2, 4),
    trial(2, "behind", 0.3, 1e-4, 4),
    trial(3, "failed", None, 1e-4, 8, "diverged in epoch 1"),
]
GAIN = [
    {"what": "best", "trial": "1", "score": "0.7", "low": "0.65", "high": "0.75", "groups": "9"},
    {"what": "default", "trial": "0", "score": "0.6", "low": "0.5", "high": "0.68", "groups": "9"},
    {"what": "difference", "trial": "1", "score": "0.1", "low": "0.02", "high": "0.15", "groups": "9"},
]


def points_of(figure, label):
    return [line for panel in figure.findobj() for line in getattr(panel, "lines", []) if line.get_label() == label]


def test_places_are_even_on_the_scale_of_the_range_and_choices_are_parted():
    assert places(["0.0001", "0.001", "0.01"], Range(1e-4, 1e-2, log=True)) == pytest.approx([0.0, 0.5, 1.0])
    assert places(["2", "7"], Range(2, 7)) == [0.0, 1.0]
    # The config's own value may lie outside: it is shown at the end.
    assert places(["9"], Range(2, 7)) == [1.0]
    low, high = places(["True", "False"], (True, False))
    assert 0 < low < high < 1
    assert math.isnan(places(["16"], (4, 8))[0])
    assert places(["0.0"], Range(1e-4, 1e-2, log=True)) == [0.0]


def test_a_number_lies_on_its_choice_however_it_is_written():
    # The weight of a loss is 1.0 in the config's own values, and 1 in the choices.
    assert places(["1.0", "2"], (1, 2)) == places(["1", "2.0"], (1, 2)) == places(["adam", "sgd"], ("adam", "sgd"))
    assert places(["auto"], (1, "auto")) == places(["2"], (1, 2))
    assert math.isnan(places(["1.0"], (True, False))[0])


def test_all_trials_are_drawn_each_in_the_way_of_its_state():
    figure = draw_tuning(TRIALS, [], GAIN, read_space(SPACE), SCORE)
    for label, expected in (("scored", [0, 1]), ("behind", [2]), ("failed", [3])):
        assert list(points_of(figure, label)[0].get_xdata()) == expected
    assert list(points_of(figure, "best so far")[0].get_ydata()) == [0.6, 0.7, 0.7]


def test_the_text_alternative_counts_the_trials_and_states_the_intervals():
    assert description(TRIALS, GAIN, SCORE) == (
        f"{SCORE} of 4 trials: 2 scored, 1 behind, 1 failed. Best: trial 1, 0.700 (95 % 0.650 to 0.750). "
        "Default: trial 0, 0.600 (95 % 0.500 to 0.680). Difference: 0.100 (95 % 0.020 to 0.150)."
    )


def test_the_script_draws_tables_as_they_are_written(tmp_path):
    tables = {
        "trials": ([*COLUMNS, *SPACE], TRIALS),
        "importances": (IMPORTANCE_COLUMNS, [("train.learning_rate", 0.9), ("train.batch_size", 0.1)]),
        "gain": (GAIN_COLUMNS, [{**row, "low": None, "high": None} for row in GAIN[:1]]),
    }
    for name, (columns, rows) in tables.items():
        write_table(tmp_path / f"{name}.csv", columns, rows)
    flags = {name: tmp_path / f"{name}.csv" for name in tables}
    places = {"figure": tmp_path / "tuning.png", "pdf": tmp_path / "tuning.pdf"}
    assert run("draw_tuning", **flags, **places, space=json.dumps(SPACE), score=SCORE) == "done"
    with Image.open(places["figure"]) as picture:
        assert np.asarray(picture.convert("L")).std() > 0
        assert picture.info["Description"].startswith(SCORE)
    assert places["pdf"].stat().st_size > 0
