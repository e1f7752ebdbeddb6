"""Probabilities become class regions, and nuclei get their class, place and area; the script writes them."""

import runpy
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from histoloom.files import write_json, write_table
from histoloom.formats.images import read_instances, read_mask
from histoloom.predict.postprocess import describe_nuclei
from histoloom.predict.regions.class_map import class_regions
from histoloom.predict.regions.settings import RegionPlan
from histoloom.predict.thresholds import untuned
from histoloom.prepared import INDEX_COLUMNS, read_table
from tests.predict.discs import as_probabilities, discs

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_regions_keep_classes_and_lose_small_patches():
    classes = np.zeros((10, 12), np.uint8)
    classes[1:4, 1:4] = 1
    classes[1:4, 4] = 2  # joined to the patch of class 1: one patch of 12 pixels
    classes[7, 7:9] = 2
    probabilities = as_probabilities(classes, 3)
    assert np.array_equal(class_regions(probabilities, RegionPlan()), classes)
    expected = classes.copy()
    expected[7] = 0
    assert np.array_equal(class_regions(probabilities, RegionPlan(min_area_px=3)), expected)
    assert np.array_equal(class_regions(probabilities, RegionPlan(min_area_px=12)), expected)
    assert not class_regions(probabilities, RegionPlan(min_area_px=13)).any()


def test_equal_probabilities_go_to_the_lower_class():
    assert class_regions(np.array([[[128, 128, 0], [10, 120, 120]]], np.uint8), RegionPlan()).tolist() == [[0, 1]]


def test_a_nucleus_has_the_class_of_its_largest_sum():
    # Three pixels: class 1 leads in two of them, yet class 2 has the larger sum, 100 + 100 + 250 against 110 + 110 + 0.
    probabilities = np.zeros((2, 4, 3), np.uint8)
    probabilities[1, 1:4] = [(45, 110, 100), (45, 110, 100), (5, 0, 250)]
    nuclei = np.zeros((2, 4), np.int32)
    nuclei[1, 1:4] = 1
    (nucleus,) = describe_nuclei(nuclei, probabilities)
    assert (nucleus.number, nucleus.class_index, nucleus.area_px) == (1, 2, 3)
    assert (nucleus.row, nucleus.column) == (1, 2)
    assert nucleus.mean_probability == pytest.approx(450 / 3 / 255)


def test_background_never_names_a_nucleus():
    probabilities = np.array([[[100, 101, 54], [100, 54, 101]]], np.uint8)
    (nucleus,) = describe_nuclei(np.ones((1, 2), np.int32), probabilities)
    assert nucleus.class_index == 1  # 155 each: the first of equals


def test_no_nuclei_give_no_rows():
    assert describe_nuclei(np.zeros((4, 4), np.int32), np.zeros((4, 4, 2), np.uint8)) == []


REGIONS = {"kernel": "none", "kernel-size": 0, "opening": 0, "closing": 0, "hole-area": 0, "min-region-area": 0}


def run_script(folder, min_area, monkeypatch, method="watershed", regions=REGIONS, unit="um"):
    settings = untuned("watershed", {"foreground": 0.5, "min_distance_px": 6, "min_area_px": min_area}, "pq", "a test")
    write_json(folder / "postprocess.json", asdict(settings))
    flags = {"method": method, "settings": folder / "postprocess.json", "dataset": folder / "dataset.json"}
    flags |= {name: folder / name for name in ("probabilities", "maps", "regions", "nuclei")}
    flags |= {"index": folder / "index.csv", "nuclei-table": folder / "nuclei.csv", "unit": unit, **regions}
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    monkeypatch.setattr(sys, "argv", ["postprocess_images.py", *words])
    runpy.run_path(str(SCRIPTS / "postprocess_images.py"), run_name="__main__")


@pytest.fixture
def folder(tmp_path):
    classes = np.where(discs((40, 60), [(20, 20), (20, 36)], 10), 2, 0)
    (tmp_path / "probabilities").mkdir()
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "probabilities" / "pair.npy", as_probabilities(classes, 3))
    np.save(tmp_path / "probabilities" / "void.npy", as_probabilities(classes * 0, 3))
    rows = [{**dict.fromkeys(INDEX_COLUMNS, ""), "name": name, "height": 40, "width": 60} for name in ("pair", "void")]
    write_table(tmp_path / "index.csv", INDEX_COLUMNS, rows)
    texts = dict.fromkeys(("name", "reader", "licence", "citation"), "")
    names = ["background", "a", "b"]
    write_json(
        tmp_path / "dataset.json", {**texts, "classes": names, "has_instances": True, "facts": {}, "warnings": []}
    )
    return tmp_path


def test_script_writes_regions_nuclei_and_their_table(folder, monkeypatch):
    run_script(folder, 30, monkeypatch)
    rows = read_table(folder / "nuclei.csv")
    assert [(row["name"], row["id"], row["class"], row["mean_probability"]) for row in rows] == [
        ("pair", "1", "b", "1.0"),
        ("pair", "2", "b", "1.0"),
    ]
    nuclei, regions = read_instances(folder / "nuclei" / "pair.png"), read_mask(folder / "regions" / "pair.png")
    assert [int(row["area_px"]) for row in rows] == np.bincount(nuclei.ravel())[1:].tolist()
    assert np.array_equal(regions, np.where(nuclei > 0, 2, 0))
    assert not read_mask(folder / "regions" / "void.png").any()


def test_script_names_probabilities_of_other_classes(folder, monkeypatch):
    np.save(folder / "probabilities" / "pair.npy", np.zeros((4, 4, 2), np.uint8))
    with pytest.raises(SystemExit, match=r"pair\.npy: uint8 of shape \(4, 4, 2\); expected uint8 \(height, width, 3\)"):
        run_script(folder, 0, monkeypatch)
    assert not (folder / "nuclei").exists()
    assert not (folder / "regions").exists()


def test_script_refuses_the_thresholds_of_another_method(folder, monkeypatch):
    with pytest.raises(SystemExit, match=r"postprocess\.json: options of watershed; expected those of hover"):
        run_script(folder, 0, monkeypatch, method="hover")


def test_script_leaves_out_nuclei_and_patches_below_the_least_area(folder, monkeypatch):
    run_script(folder, 10_000, monkeypatch)
    assert read_table(folder / "nuclei.csv") == []
    assert not read_mask(folder / "regions" / "pair.png").any()
    assert not read_instances(folder / "nuclei" / "pair.png").any()


def test_script_refuses_micrometres_where_an_image_states_none(folder, monkeypatch):
    with pytest.raises(SystemExit, match=r"pair: its micrometres per pixel are not known; .* or .* unit: px"):
        run_script(folder, 0, monkeypatch, regions={**REGIONS, "opening": 2})
    assert not (folder / "regions").exists()


def test_script_cleans_regions_in_pixels_and_leaves_nuclei_as_they_are(folder, monkeypatch):
    run_script(folder, 0, monkeypatch, regions={**REGIONS, "min-region-area": 10_000}, unit="px")
    assert not read_mask(folder / "regions" / "pair.png").any()
    assert read_instances(folder / "nuclei" / "pair.png").max() == 2
