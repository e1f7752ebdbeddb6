"""Costs are totals over totals or medians over folds; a damaged measurement is named."""

import json

import pytest

from histoloom.errors import InputError
from histoloom.evaluate.tables.costs import COST_COLUMNS, cost_rows

GOOD = {"seconds": 2.0, "pixels": 4_000_000, "mpp": 0.5, "peak_memory_mib": 900.0, "parameters": 31000, "device": "cpu"}


def write_cost(folder, architecture="unet", fold=0, **values):
    path = folder / architecture / f"fold{fold}" / "cost.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(GOOD | values))
    return path


def write_history(folder, seconds, architecture="unet", fold=0):
    path = folder / architecture / f"fold{fold}" / "history.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("epoch,seconds\n" + "".join(f"{epoch},{each}\n" for epoch, each in enumerate(seconds, 1)))
    return path


def row_of(costs, histories=()):
    (row,) = cost_rows("lab", {"unet": "model", "otsu": "baseline"}, costs, histories)
    return dict(zip(COST_COLUMNS, row, strict=True))


def test_time_per_area_is_all_seconds_over_all_areas(tmp_path):
    # 4 megapixels of 0.5 µm are 1 mm², 16 megapixels of 0.25 µm are 1 mm²: 2 mm² and 20 megapixels in 5 seconds.
    costs = [write_cost(tmp_path), write_cost(tmp_path, fold=1, seconds=3.0, pixels=16_000_000, mpp=0.25)]
    row = row_of(costs)
    assert (row["seconds_per_mm2"], row["seconds_per_megapixel"]) == (2.5, 0.25)
    assert (row["dataset"], row["architecture"], row["kind"]) == ("lab", "unet", "model")


def test_memory_and_training_are_medians_over_folds(tmp_path):
    costs = [write_cost(tmp_path, fold=fold, peak_memory_mib=mib) for fold, mib in enumerate((900.0, 5000.0, 1000.0))]
    histories = [write_history(tmp_path, seconds, fold=fold) for fold, seconds in enumerate(([10, 20], [5, 5], [90]))]
    row = row_of(costs, histories)
    assert (row["peak_memory_mib"], row["parameters"], row["training_seconds"]) == (1000.0, 31000, 30.0)


def test_what_is_unknown_is_empty(tmp_path):
    costs = [write_cost(tmp_path, peak_memory_mib=None, parameters=None), write_cost(tmp_path, fold=1, mpp=None)]
    costs[1].write_text(json.dumps(GOOD | {"mpp": None, "parameters": None}))
    row = row_of(costs)
    assert row["seconds_per_mm2"] is None and row["seconds_per_megapixel"] == 0.5
    assert (row["peak_memory_mib"], row["parameters"], row["training_seconds"]) == (900.0, None, None)


def test_a_method_without_parameters_says_so(tmp_path):
    assert row_of([write_cost(tmp_path, parameters=0)])["parameters"] == 0


def test_devices_that_differ_are_all_named(tmp_path):
    costs = [write_cost(tmp_path, device="NVIDIA H100"), write_cost(tmp_path, fold=1)]
    assert row_of(costs)["device"] == "NVIDIA H100, cpu"


def test_architectures_keep_their_order_and_those_without_a_measurement_have_no_row(tmp_path):
    costs = [write_cost(tmp_path, "unet"), write_cost(tmp_path, "fpn")]
    rows = list(cost_rows("lab", {"fpn": "model", "otsu": "baseline", "unet": "model"}, costs, []))
    assert [row[1] for row in rows] == ["fpn", "unet"]


def test_folds_of_other_parameters_are_refused(tmp_path):
    costs = [write_cost(tmp_path), write_cost(tmp_path, fold=1, parameters=32000)]
    with pytest.raises(InputError, match=r"fold1/cost\.json: 32000 parameters; expected 31000"):
        row_of(costs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seconds": 0}, "seconds is 0; expected a number above 0"),
        ({"seconds": None}, "seconds is None; expected a number above 0"),
        ({"pixels": -1}, "pixels is -1; expected a number above 0"),
        ({"mpp": "0.5"}, "mpp is '0.5'; expected a number above 0"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"parameters": -5}, "parameters is -5; expected a number of 0 or more"),
        ({"parameters": True}, "parameters is True"),
    ],
)
def test_values_that_make_no_sense_are_named(tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        row_of([write_cost(tmp_path, **values)])


@pytest.mark.parametrize(("text", "message"), [("{", "cannot be read"), ("[1]", "list; expected an object")])
def test_a_damaged_file_is_named(tmp_path, text, message):
    path = write_cost(tmp_path)
    path.write_text(text)
    with pytest.raises(InputError, match=f"cost.json: {message}"):
        row_of([path])
