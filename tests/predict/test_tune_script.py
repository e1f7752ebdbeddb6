"""The script that tunes post-processing, on a prepared dataset whose test image is a trap."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from histoloom.files import write_json, write_table
from histoloom.formats.images import write_image, write_instances
from histoloom.predict.thresholds import read_thresholds
from histoloom.prepared import INDEX_COLUMNS
from tests.predict.tuning_case import PREDICTED, TRUTH, as_bytes
from tests.scripts_run import outcome

SCRIPT = Path(__file__).parents[2] / "scripts" / "tune_postprocess.py"


def study(folder, has_instances=True):
    """A prepared dataset of three images; the files of the test image are traps: whoever reads them fails."""
    for name in ("a", "b"):
        write_image(folder / "masks" / f"{name}.png", (TRUTH > 0).astype(np.uint8))
        write_instances(folder / "instances" / f"{name}.png", TRUTH)
    (folder / "maps").mkdir()
    (folder / "probabilities").mkdir()
    np.save(folder / "probabilities" / "a.npy", as_bytes(PREDICTED))
    np.save(folder / "probabilities" / "b.npy", as_bytes(PREDICTED))
    for trap in ("masks/trap.png", "instances/trap.png", "probabilities/trap.npy", "maps/trap.npy"):
        (folder / trap).write_text("a test image was read")
    rows = [
        {
            **dict.fromkeys(INDEX_COLUMNS, ""),
            "name": name,
            "image": f"images/{name}.png",
            "mask": f"masks/{name}.png",
            "instances": f"instances/{name}.png" if has_instances else "",
            "height": 40,
            "width": 40,
            "group": name,
        }
        for name in ("a", "b", "trap")
    ]
    write_table(folder / "index.csv", INDEX_COLUMNS, rows)
    facts = {"name": "lab", "reader": "made", "classes": ["background", "nucleus"], "has_instances": has_instances}
    write_json(folder / "dataset.json", {**facts, "licence": "", "citation": "", "facts": {}, "warnings": []})
    parts = [(0, "val", "a"), (0, "val", "b"), (0, "test", "trap"), (1, "test", "a"), (1, "train", "b")]
    write_table(folder / "folds.csv", ("fold", "part", "name", "group"), [(*part, part[2]) for part in parts])
    return folder


def words(folder, tried, fold=0, **changed):
    flags = {"method": "watershed", "min-area-px": 0, "metric": "pq", "fold": fold, **changed}
    flags |= {name: folder / f"{name}.csv" for name in ("index", "folds", "table")}
    flags |= {name: folder / f"{name}.json" for name in ("dataset", "settings")}
    flags |= {name: folder / name for name in ("probabilities", "maps")}
    given = [str(word) for flag, value in flags.items() for word in (f"--{flag}", value)]
    return [str(SCRIPT), *given, *(["--tried", *tried] if tried else [])]


TRIED = ["foreground=[0.4, 0.6, 0.8]", "min_area_px=[0, 5]"]


def test_script_finds_the_known_best_and_reads_no_test_image(tmp_path):
    done = subprocess.run([sys.executable, *words(study(tmp_path), TRIED)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "settings.json").read_text())
    assert found == {
        "method": "watershed",
        "options": {"foreground": 0.6, "min_distance_px": 6},
        "min_area_px": 5,
        "tuned": True,
        "metric": "pq",
        "score": 1.0,
        "images": 2,
        "reason": "best pq of 6 combinations, over all nuclei of 2 validation images",
    }
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["best"] for row in rows] == ["False", "False", "False", "True", "False", "False"]
    expected = [100 / 196 / 1.5, 100 / 196, 1 / 1.5, 1, 0, 0]
    assert [float(row["score"]) for row in rows] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("tried", "fold", "has_instances", "predicted", "reason"),
    [
        (TRIED, 0, False, True, "no validation image has annotated nuclei"),
        (TRIED, 1, True, True, "no validation image has annotated nuclei"),
        (TRIED, 0, True, False, "the validation images are not predicted"),
    ],
)
def test_script_says_why_it_keeps_the_configured_options(tmp_path, tried, fold, has_instances, predicted, reason):
    study(tmp_path, has_instances)
    if not predicted:
        for path in (tmp_path / "probabilities").iterdir():
            path.unlink()
    assert outcome(words(tmp_path, tried, fold)) == "done"
    found = read_thresholds(tmp_path / "settings.json", "watershed")
    assert (found.tuned, found.score, found.images, found.reason) == (False, None, 0, reason)
    assert (found.options, found.min_area_px) == ({"foreground": 0.5, "min_distance_px": 6}, 0)
    assert (tmp_path / "table.csv").read_text() == "foreground,min_distance_px,min_area_px,score,best\n"


def test_where_nothing_is_tried_the_configured_options_are_stated(tmp_path):
    path, script = tmp_path / "settings.json", SCRIPT.with_name("state_postprocess.py")
    flags = ["--method", "watershed", "--option", "foreground=0.6", "--min-area-px", "7", "--metric", "pq"]
    assert outcome([str(script), *flags, "--settings", str(path)]) == "done"
    found = read_thresholds(path, "watershed")
    assert (found.tuned, found.options, found.min_area_px) == (False, {"foreground": 0.6, "min_distance_px": 6}, 7)
    assert found.reason == "predict.tune names no option"


def test_script_refuses_a_metric_of_pixels(tmp_path):
    message = outcome(words(study(tmp_path), TRIED, metric="dice"))
    assert message == "error: predict.tune_metric 'dice': a metric of pixels; expected one of nuclei, such as pq or dq"


def test_script_names_a_validation_image_that_is_not_predicted(tmp_path):
    (study(tmp_path) / "probabilities" / "b.npy").unlink()
    assert "b.npy: cannot be read as an array" in outcome(words(tmp_path, TRIED))
    assert not (tmp_path / "settings.json").exists()


def test_script_names_a_prediction_of_another_size(tmp_path):
    np.save(study(tmp_path) / "probabilities" / "b.npy", as_bytes(PREDICTED[:-1]))
    assert "b.npy: (39, 40) pixels; expected (40, 40) as " in outcome(words(tmp_path, TRIED))
