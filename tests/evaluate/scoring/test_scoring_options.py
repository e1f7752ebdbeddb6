"""What score.py does beside reading: several models, groups, missing predictions, probabilities, and what it says."""

import numpy as np
import pytest
from PIL import Image

from tests.evaluate.scoring import scoring_case as case
from tests.evaluate.scoring.scoring_case import CLASSES, FOUND, TRUTH, means, rows, score
from tests.evaluate.test_evaluate_script import CLASSES as LAB_CLASSES
from tests.evaluate.test_evaluate_script import evaluate, prepare, summarise
from tests.scripts_run import outcome

ALL = ["--classes", *CLASSES]
MISSING = "--allow-missing-predictions"


@pytest.fixture
def sides(tmp_path):
    """Truth and prediction in one form, to be changed by a test: ((path, flags), path)."""
    truth = case.pannuke(tmp_path / "truth", TRUTH, "truth")
    path, _ = case.hovernet_types(tmp_path / "found", FOUND, "prediction")
    return truth, path


def test_the_tables_are_those_of_the_workflow(tmp_path):
    prepare(tmp_path)
    models = ["unet", "all_background"]
    for words in (*(evaluate(tmp_path, model) for model in models), summarise(tmp_path, models)):
        assert outcome(words) == "done"
    groups = case.write_table(tmp_path / "groups.csv", ("name", "group"), [("a", "case a"), ("b", "case b")])
    flags = {
        "--truth-masks": [tmp_path / "masks"],
        "--truth-format": ["labels"],
        "--prediction-format": ["labels"],
        "--prediction-masks": [tmp_path / "unet" / "regions"],
        "--prediction-table": [tmp_path / "unet" / "nuclei.csv"],
        "--classes": LAB_CLASSES,
        "--groups": [groups],
        "--metric": ["dice", "accuracy", "pq", "sq"],
        "--nucleus-sizes-um2": [1.0],
        "--bootstrap": [200],
        "--seed": [0],
    }
    words = [str(word) for flag, values in flags.items() for word in (flag, *values)]
    truth = (tmp_path / "instances", [])
    assert score(tmp_path / "out", truth, ("unet", tmp_path / "unet" / "nuclei"), flags=words) == "done"
    for name in ("scores.csv", "summary.csv", "sizes.csv", "strata.csv"):
        expected = [row for row in rows(tmp_path / name) if row["architecture"] == "unet"]
        assert rows(tmp_path / "out" / name) == expected


def test_two_predictions_are_compared_and_ranked_in_pairs_of_images(tmp_path, sides):
    truth, path = sides
    perfect, _ = case.hovernet_types(tmp_path / "perfect", TRUTH, "prediction")
    models = (("perfect", perfect), ("model", path))
    assert score(tmp_path / "out", truth, *models, flags=[*ALL, "--metric", "pq"]) == "done"
    (row,) = [row for row in rows(tmp_path / "out" / "comparison.csv") if row["class"] == "foreground"]
    assert (row["first"], row["second"], row["images"], row["groups"]) == ("perfect", "model", "2", "2")
    assert float(row["difference"]) == pytest.approx(np.mean([1 - 0.5, 1 - 1.8 / 3.5]), abs=1e-6)
    best = {
        row["architecture"]: float(row["probability_best"])
        for row in rows(tmp_path / "out" / "ranking.csv")
        if row["class"] == "foreground"
    }
    assert best == {"perfect": 1.0, "model": 0.0}


def test_a_missing_prediction_is_scored_as_nothing_found_where_that_is_allowed(tmp_path, sides, capsys):
    truth, path = sides
    (path / "1.mat").unlink()
    assert score(tmp_path / "out", truth, ("model", path), flags=[*ALL, MISSING]) == "done"
    assert "model: images without prediction, scored as nothing found: 1" in capsys.readouterr().err
    found = means(tmp_path / "out")
    assert float(found["pq", "foreground"]) == pytest.approx(0.5 / 2)
    assert float(found["dice", "foreground"]) == pytest.approx(2 * 85 / 248 / 2, abs=1e-6)


def test_groups_and_strata_come_from_a_table_and_an_array(tmp_path, sides):
    truth, path = sides
    np.save(tmp_path / "types.npy", np.array(["Breast", "Colon"]))
    groups = case.write_table(
        tmp_path / "groups.csv", ("name", "group"), [("1", "case"), ("0", "case"), ("2", "other")]
    )
    flags = [*ALL, "--groups", str(groups), "--strata", str(tmp_path / "types.npy"), "--metric", "pq"]
    assert score(tmp_path / "out", truth, ("model", path), flags=flags) == "done"
    summary = [row for row in rows(tmp_path / "out" / "summary.csv") if row["metric"] == "pq"]
    assert {(row["images"], row["groups"], row["low"]) for row in summary if row["class"] == "foreground"} == {
        ("2", "1", "")
    }
    strata = {
        row["stratum"]: float(row["mean"])
        for row in rows(tmp_path / "out" / "strata.csv")
        if row["class"] == "foreground"
    }
    assert strata == pytest.approx({"Breast": 0.5, "Colon": 1.8 / 3.5}, abs=1e-6)


def test_distances_are_in_micrometres_where_all_images_say_how_large_a_pixel_is(tmp_path, sides):
    truth, path = sides
    distances = {}
    for name, flags in (("px", []), ("um", ["--mpp", "0.5"])):
        out = tmp_path / name
        assert score(out, truth, ("model", path), flags=[*ALL, *flags, "--metric", "hd95"]) == "done"
        distances[name] = float(means(out)["hd95", "foreground"])
        definition = rows(out / "summary.csv")[0]["definition"]
        assert ("here in pixels" in definition, "here in µm" in definition) == (name == "px", name == "um")
    assert distances["um"] == pytest.approx(distances["px"] / 2)


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_probabilities_are_scored_as_their_largest_and_as_probabilities(tmp_path, kind):
    truth = case.masks_png(tmp_path / "truth", {"a": [(1, 0, 0, 12, 32)]}, "truth")
    probabilities = np.zeros((*case.SIZE, 2), np.float32)
    probabilities[..., 1] = 0.2
    probabilities[:6, :, 1] = 0.6  # half of the nucleus
    probabilities[..., 0] = 1 - probabilities[..., 1]
    (tmp_path / "found").mkdir()
    stored = np.rint(probabilities * 255) if kind == np.uint8 else probabilities
    np.save(tmp_path / "found" / "a.npy", stored.astype(kind))
    flags = ["--classes", "background", "tumour"]
    assert score(tmp_path / "out", truth, ("model", tmp_path / "found"), flags=flags) == "done"
    found = means(tmp_path / "out")
    assert float(found["dice", "tumour"]) == pytest.approx(2 * 6 / (12 + 6), abs=1e-6)
    # A quarter of the pixels is of the class at 0.6, another at 0.2; the other half is not, at 0.2.
    assert float(found["brier", "tumour"]) == pytest.approx((0.4**2 + 0.8**2) / 4 + 0.2**2 / 2, abs=1e-6)
    # Of pairs of one pixel each the halves at 0.6 are ranked right, those at 0.2 drawn.
    assert float(found["auroc", "tumour"]) == pytest.approx(0.75, abs=1e-6)


def test_pixels_that_nobody_annotated_do_not_count(tmp_path):
    for name, values in (("truth", [[0, 1, 255, 255]]), ("found", [[0, 1, 1, 0]])):
        (tmp_path / name).mkdir()
        Image.fromarray(np.array(values, np.uint8)).save(tmp_path / name / "a.png")
    flags = ["--classes", "background", "tumour", "--metric", "dice", "accuracy"]
    assert score(tmp_path / "out", (tmp_path / "truth", []), ("model", tmp_path / "found"), flags=flags) == "done"
    assert means(tmp_path / "out")["accuracy", "all"] == "1.0"


def test_the_terminal_shows_formats_and_a_column_for_each_model(tmp_path, sides, capsys):
    truth, path = sides
    perfect, _ = case.geojson(tmp_path / "perfect", TRUTH, "prediction")
    models = (("perfect", perfect), ("model", path))
    assert score(tmp_path / "out", truth, *models, flags=[*ALL, "--metric", "pq", "dice"]) == "done"
    shown = capsys.readouterr()
    assert f"truth {truth[0]}: PanNuke's array of nuclei, images: 2" in shown.err
    assert f"perfect {perfect}: GeoJSON, polygons taken as nuclei, images: 2" in shown.err
    assert f"model {path}: .mat files of HoVer-Net, images: 2" in shown.err
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[0] == ["score", "class", "perfect", "model"]
    assert lines[1][:3] == ["dice", "foreground", "1.0000"]
    (line,) = [line for line in lines if line[:2] == ["pq", "foreground"]]
    assert (line[2], line[6]) == ("1.0000", f"{np.mean([0.5, 1.8 / 3.5]):.4f}")
