"""score.py gives the same tables whatever format truth and prediction are in, with numbers worked out by hand."""

import numpy as np
import pytest

from tests.evaluate.scoring import scoring_case as case
from tests.evaluate.scoring.scoring_case import CLASSES, FOUND, TRUTH, means, score

# One for each stored fact.
METRICS = ("dice", "nsd", "hd95", "pq", "aji", "object_dice", "f1_75", "class_f1", "merge_rate")
TABLES = ("scores.csv", "summary.csv", "strata.csv", "sizes.csv")
WRITERS = {
    "labels_masks": case.labels_masks,
    "labels_npy": case.labels_npy,
    "pannuke": case.pannuke,
    "hovernet_types": case.hovernet_types,
    "hovernet_map": case.hovernet_map,
    "geojson": case.geojson,
    "geojson_drawn": case.geojson_drawn,
}


def scored(folder, write_truth: case.Writer, write_found: case.Writer, flags: list[str] = ()):
    """The folder of tables of TRUTH against FOUND in two formats."""
    truth = write_truth(folder / "truth", TRUTH, "truth")
    path, more = write_found(folder / "found", FOUND, "prediction")
    flags = [*more, "--classes", *CLASSES, *(flags or ["--metric", *METRICS])]
    assert score(folder / "out", truth, ("model", path), flags=flags) == "done"
    return folder / "out"


def texts(folder) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in TABLES}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The tables of StarDist's form on both sides."""
    return scored(tmp_path_factory.mktemp("reference"), case.labels_table, case.labels_table)


@pytest.mark.parametrize("name", WRITERS)
def test_predictions_in_any_format_give_the_same_tables(tmp_path, reference, name):
    assert texts(scored(tmp_path, case.labels_table, WRITERS[name])) == texts(reference)


@pytest.mark.parametrize("name", WRITERS)
def test_truth_in_any_format_gives_the_same_tables(tmp_path, reference, name):
    assert texts(scored(tmp_path, WRITERS[name], case.labels_table)) == texts(reference)


def test_truth_and_prediction_both_without_a_size_take_the_one_given(tmp_path, reference):
    size = ["--metric", *METRICS, "--image-size", *map(str, case.SIZE)]
    assert texts(scored(tmp_path, case.geojson, case.geojson, size)) == texts(reference)


@pytest.mark.parametrize("write", [case.masks_png, case.masks_coded])
def test_masks_alone_give_the_scores_of_pixels_and_no_others(tmp_path, reference, write):
    found = means(scored(tmp_path, write, write, ["--seed", "0"]))
    expected = means(reference)
    assert {"dice", "iou", "kappa", "nsd", "hd95"} <= {metric for metric, _ in found}
    assert not {"pq", "aji", "class_f1", "ece"} & {metric for metric, _ in found}
    shared = found.keys() & expected.keys()
    assert {("dice", "mean"), ("nsd", "dead")} <= shared
    assert {score: found[score] for score in shared} == {score: expected[score] for score in shared}


def test_scores_of_the_two_images_equal_hand_counts(reference):
    found = means(reference)
    # Image 0: IoU 1; 9 / 23, no pair; 1, of another class; one missed, one made up.
    # Image 1: IoU 20 / 25; 24 / 60 and 30 / 60, both no pair; 1.
    pq = [2 / (2 + 2 / 2 + 2 / 2), 1.8 / (2 + 2 / 2 + 1 / 2)]
    assert float(found["pq", "foreground"]) == pytest.approx(np.mean(pq), abs=1e-6)
    assert float(found["pq@pooled", "foreground"]) == pytest.approx(3.8 / (4 + 4 / 2 + 3 / 2), abs=1e-6)
    # Class inflammatory: image 0 has one missed, two made up; image 1 one pair of 0.8.
    assert float(found["pq", "inflammatory"]) == pytest.approx((0 + 0.8) / 2, abs=1e-6)
    # Pixels of any nucleus: 36 + 16 + 40 + 48 = 140 true, 36 + 16 + 40 + 16 = 108 found, 36 + 9 + 40 = 85 shared.
    dice = [2 * 85 / (140 + 108), 2 * (20 + 54 + 9) / (94 + 83)]
    assert float(found["dice", "foreground"]) == pytest.approx(np.mean(dice), abs=1e-6)


# Truth: nuclei of classes 1 and 2, of 4 px. Found: 6 px over the first, and the second as it is, both of class 1.
PAIR_TRUTH = {"a": [(1, 0, 0, 2, 2), (2, 0, 4, 2, 2)]}
PAIR_FOUND = {"a": [(1, 0, 0, 2, 3), (1, 0, 4, 2, 2)]}
BY_HAND = {
    ("dice", "foreground"): 16 / 18,
    ("dice", "neoplastic"): 8 / 14,
    ("dice", "inflammatory"): 0,
    ("dice", "mean"): 4 / 14,
    ("accuracy", "all"): (24 * 32 - 10 + 4) / (24 * 32),
    ("pq", "foreground"): (4 / 6 + 1) / 2,
    ("sq", "foreground"): (4 / 6 + 1) / 2,
    ("dq", "foreground"): 1,
    ("pq", "neoplastic"): (4 / 6) / 1.5,
    ("pq", "inflammatory"): 0,
    ("pq", "mean"): (4 / 6) / 1.5 / 2,
    ("aji", "foreground"): 8 / 10,
    ("count_error", "foreground"): 0,
}


def test_a_pair_of_files_gives_numbers_worked_out_by_hand(tmp_path):
    truth = case.labels_table(tmp_path / "truth", PAIR_TRUTH, "truth")
    path, more = case.labels_table(tmp_path / "found", PAIR_FOUND, "prediction")
    metrics = dict.fromkeys(metric for metric, _ in BY_HAND)
    flags = [*more, "--classes", *CLASSES[:3], "--metric", *metrics]
    single = (truth[0] / "a.tif", truth[1])
    (path / "a.tif").rename(path / "of another name.tif")
    table = path.with_suffix(".csv")
    table.write_text(table.read_text().replace("a,", "of another name,"))
    assert score(tmp_path / "out", single, ("model", path / "of another name.tif"), flags=flags) == "done"
    found = means(tmp_path / "out")
    assert {score: float(found[score]) for score in BY_HAND} == pytest.approx(BY_HAND, abs=1e-6)


def test_label_images_without_classes_are_nuclei_of_one_class(tmp_path, reference):
    truth = case.pannuke(tmp_path / "truth", TRUTH, "truth")
    path, _ = case.labels_masks(tmp_path / "found", FOUND, "prediction")
    flags = ["--classes", "background", "nucleus", "--metric", "pq", "aji", "dice", "object_dice"]
    assert score(tmp_path / "out", truth, ("model", path), flags=flags) == "done"
    found, expected = means(tmp_path / "out"), means(reference)
    for metric in ("pq", "aji", "dice", "object_dice"):
        assert found[metric, "nucleus"] == found[metric, "foreground"] == expected[metric, "foreground"]
