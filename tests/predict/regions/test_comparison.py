"""The script that compares ways of smoothing, on validation images whose scores are known by hand."""

import csv
from pathlib import Path

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.files import write_json, write_table
from histoloom.formats.images import write_image
from histoloom.predict.regions.comparison import tried_settings
from histoloom.predict.regions.settings import RegionSettings
from histoloom.prepared import INDEX_COLUMNS
from tests.predict.discs import as_probabilities
from tests.scripts_run import outcome

SCRIPT = Path(__file__).parents[3] / "scripts" / "compare_smoothing.py"
OFF = {"kernel": "none", "kernel-size": 0, "opening": 0, "closing": 0, "hole-area": 0, "min-region-area": 0}


@pytest.fixture
def folder(tmp_path):
    """Truth of both images: a square of 10 x 10 in 20 x 20. Overlap 1 predicts it with 4 specks, 16 without."""
    truth = np.zeros((20, 20), np.uint8)
    truth[5:15, 5:15] = 1
    noisy = truth.copy()
    noisy[[1, 1, 18, 18], [1, 18, 1, 18]] = 1
    for name in ("a", "b"):
        write_image(tmp_path / "masks" / f"{name}.png", truth)
        for overlap, classes in ((1, noisy), (16, truth)):
            (tmp_path / str(overlap)).mkdir(exist_ok=True)
            np.save(tmp_path / str(overlap) / f"{name}.npy", as_probabilities(classes, 2))
    rows = [
        {**dict.fromkeys(INDEX_COLUMNS, ""), "name": name, "mask": f"masks/{name}.png", "height": 20, "width": 20}
        for name in ("a", "b", "test")
    ]
    write_table(tmp_path / "index.csv", INDEX_COLUMNS, rows)
    parts = [(0, "val", "a", "a"), (0, "val", "b", "b"), (0, "test", "test", "c")]
    write_table(tmp_path / "folds.csv", ("fold", "part", "name", "group"), parts)
    facts = {"name": "lab", "reader": "made", "classes": ["background", "tumour"], "has_instances": False}
    write_json(tmp_path / "dataset.json", {**facts, "licence": "", "citation": "", "facts": {}, "warnings": []})
    thresholds = {"method": "watershed", "options": {}, "min_area_px": 0, "tuned": False, "metric": "pq"}
    write_json(tmp_path / "postprocess.json", {**thresholds, "score": None, "images": 0, "reason": ""})
    return tmp_path


def compare(folder, **changed):
    flags = {"method": ["watershed"], "fold": [0], "overlap": [1, 16], "metric": ["dice", "iou", "accuracy"]}
    flags |= {"probabilities": [folder / "1", folder / "16"], "score-class": ["foreground"], "unit": ["px"]}
    flags |= {name: [folder / f"{name}.csv"] for name in ("index", "folds", "table")} | {
        name: [value] for name, value in OFF.items()
    }
    flags |= {"dataset": [folder / "dataset.json"], "settings": [folder / "postprocess.json"], **changed}
    return outcome([str(SCRIPT), *(str(word) for flag, values in flags.items() for word in (f"--{flag}", *values))])


def test_each_setting_has_its_scores_at_each_overlap(folder):
    tried = ["{'kernel': 'median', 'kernel_size': 1}", "{'min_region_area': 2}"]
    assert compare(folder, tried=tried) == "done"
    with (folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:8] == [
        "overlap", "kernel", "kernel_size", "opening", "closing", "hole_area", "min_region_area", "unit",
    ]  # fmt: skip
    assert [(row["overlap"], row["kernel"], row["min_region_area"], row["images"]) for row in rows] == [
        *(("1", "none", "0.0", "2"), ("1", "median", "0.0", "2"), ("1", "none", "2.0", "2")),
        *(("16", "none", "0.0", "2"), ("16", "median", "0.0", "2"), ("16", "none", "2.0", "2")),
    ]
    # Specks: 104 predicted, 100 of them right. The median takes them, and the square's 4 corners.
    specks, rounded, right = (200 / 204, 100 / 104, 396 / 400), (192 / 196, 96 / 100, 396 / 400), (1, 1, 1)
    expected = [specks, rounded, right, right, rounded, right]
    found = [[float(row[metric]) for metric in ("dice", "iou", "accuracy")] for row in rows]
    assert np.allclose(found, expected)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"metric": ["pq"]}, "metric 'pq': is one of nuclei; expected one of pixels"),
        ({"score-class": ["tumor"]}, "score class 'tumor': unknown; .*tumour"),
        ({"fold": [1]}, "has no fold 1"),
        ({"tried": ["{'opening': 200}"]}, r"a: predict.regions opening 200.0 px reaches over 200 px"),
        ({"overlap": [1]}, "2"),  # argparse's exit status
    ],
)
def test_what_cannot_be_compared_is_refused(folder, changed, message):
    with pytest.raises(AssertionError, match=message):
        assert compare(folder, **changed) == "done"
    assert not (folder / "table.csv").exists()


def test_predictions_of_another_size_are_named(folder):
    np.save(folder / "16" / "b.npy", np.zeros((20, 21, 2), np.uint8))
    assert "b.npy: (20, 21) pixels; expected (20, 20) as" in compare(folder)


def test_a_tried_dict_says_what_is_on_and_all_else_is_off():
    configured = RegionSettings("mean", 3.0, 1.0, 2.0, 3.0, 4.0, "um")
    settings = tried_settings(configured, ["{}", "{'closing': 2, 'unit': 'px'}"])
    assert settings[0] == configured
    assert settings[1] == RegionSettings("none", 0.0, 0.0, 0.0, 0.0, 0.0, "um")
    assert settings[2] == RegionSettings("none", 0.0, 0.0, 2.0, 0.0, 0.0, "px")


@pytest.mark.parametrize("text", ["opening", "{'opening': 'wide'}", "[1]", "{'opening': None}"])
def test_what_is_no_dict_of_settings_is_refused(text):
    with pytest.raises(InputError, match=r"predict\.compare: .* expected settings of predict\.regions"):
        tried_settings(RegionSettings("none", 0.0, 0.0, 0.0, 0.0, 0.0, "um"), [text])


def test_an_unknown_setting_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"predict\.compare: unknown 'opennig'; .*opening"):
        tried_settings(RegionSettings("none", 0.0, 0.0, 0.0, 0.0, 0.0, "um"), ["{'opennig': 1}"])
