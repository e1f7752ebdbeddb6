"""Probabilities become nuclei: touching ones stay apart, small ones go, ids run without gaps."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import disk

from histoloom.files import write_json
from histoloom.formats.images import read_instances, read_mask
from histoloom.predict.postprocess import class_regions, describe_nuclei, split_nuclei
from histoloom.prepared import read_table

SCRIPTS = Path(__file__).parents[2] / "scripts"


def discs(shape, centres, radius):
    mask = np.zeros(shape, bool)
    for centre in centres:
        mask[disk(centre, radius, shape=shape)] = True
    return mask


def as_probabilities(classes, count):
    """Probability 1 of the class at each pixel."""
    return np.where(classes[..., None] == np.arange(count), 255, 0).astype(np.uint8)


def test_two_overlapping_discs_stay_apart_at_their_neck():
    # Radius 10, centres 16 apart: the neck is at column 28, half as wide as sqrt(100 - 64) = 6 against 10.
    mask = discs((40, 60), [(20, 20), (20, 36)], 10)
    nuclei = split_nuclei(mask, 6, 0)
    assert nuclei.max() == 2
    assert np.array_equal(nuclei > 0, mask)
    columns = np.arange(60)[None].repeat(40, axis=0)
    left, right = nuclei == nuclei[20, 20], nuclei == nuclei[20, 36]
    assert not (left & right).any()
    assert left[mask & (columns < 28)].all()
    assert right[mask & (columns > 28)].all()


def test_discs_nearer_than_the_least_distance_are_one():
    assert split_nuclei(discs((40, 60), [(20, 20), (20, 36)], 10), 17, 0).max() == 1


def test_nearly_concentric_discs_are_one():
    # Centres 4 apart: half neck sqrt(100 - 4) = 9.8 against 10.
    assert split_nuclei(discs((40, 60), [(20, 20), (20, 24)], 10), 3, 0).max() == 1


def test_a_long_bar_is_one_nucleus():
    mask = np.zeros((30, 80), bool)
    mask[10:19, 5:75] = True
    assert split_nuclei(mask, 6, 0).max() == 1


def test_a_nucleus_cut_by_the_border_is_one():
    assert split_nuclei(discs((40, 40), [(0, 20)], 12), 6, 0).max() == 1


@pytest.mark.parametrize(("mask", "count"), [(np.zeros((8, 9), bool), 0), (np.ones((8, 9), bool), 1)])
def test_empty_and_full_images(mask, count):
    nuclei = split_nuclei(mask, 6, 0)
    assert nuclei.max() == count
    assert np.array_equal(nuclei > 0, mask)


def test_one_pixel_is_a_nucleus_unless_it_is_too_small():
    mask = np.zeros((9, 9), bool)
    mask[4, 5] = True
    assert split_nuclei(mask, 6, 0)[4, 5] == split_nuclei(mask, 6, 1)[4, 5] == 1
    assert split_nuclei(mask, 6, 2).max() == 0


def test_small_nuclei_beside_a_large_one_are_kept_apart():
    mask = discs((40, 40), [(20, 15)], 10)
    mask[20, 27] = True  # disc ends at column 24; the pixel lies in the shade of the disc, yet is its own patch
    nuclei = split_nuclei(mask, 20, 0)
    assert nuclei.max() == 2
    assert (nuclei == nuclei[20, 27]).sum() == 1


def test_ids_have_no_gaps_after_small_ones_are_left_out():
    mask = discs((30, 90), [(15, 15), (15, 75)], 8)
    mask[15, 45] = True
    nuclei = split_nuclei(mask, 6, 5)
    assert sorted(np.unique(nuclei)) == [0, 1, 2]
    assert nuclei[15, 45] == 0


@given(seed=st.integers(0, 10**6), share=st.floats(0, 1), min_distance=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_nuclei_divide_up_the_foreground(seed, share, min_distance):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((40, 50)), 1)
    mask = noise < np.quantile(noise, share)
    nuclei = split_nuclei(mask, min_distance, 0)
    assert np.array_equal(nuclei > 0, mask)
    assert np.array_equal(np.unique(nuclei[mask]), np.arange(1, nuclei.max() + 1))
    for number in range(1, nuclei.max() + 1):
        assert ndimage.label(nuclei == number)[1] == 1


def test_regions_keep_classes_and_lose_small_patches():
    classes = np.zeros((10, 12), np.uint8)
    classes[1:4, 1:4] = 1
    classes[1:4, 4] = 2  # joined to the patch of class 1: one patch of 12 pixels
    classes[7, 7:9] = 2
    probabilities = as_probabilities(classes, 3)
    assert np.array_equal(class_regions(probabilities, 0), classes)
    expected = classes.copy()
    expected[7] = 0
    assert np.array_equal(class_regions(probabilities, 3), expected)
    assert np.array_equal(class_regions(probabilities, 12), expected)
    assert not class_regions(probabilities, 13).any()


def test_equal_probabilities_go_to_the_lower_class():
    assert class_regions(np.array([[[128, 128, 0], [10, 120, 120]]], np.uint8), 0).tolist() == [[0, 1]]


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


def run_script(folder, min_area, monkeypatch):
    flags = {"method": "watershed", "min-area-px": min_area, "min-distance-px": 6, "dataset": folder / "dataset.json"}
    flags |= {name: folder / name for name in ("probabilities", "regions", "nuclei")}
    flags["nuclei-table"] = folder / "nuclei.csv"
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    monkeypatch.setattr(sys, "argv", ["postprocess_images.py", *words])
    runpy.run_path(str(SCRIPTS / "postprocess_images.py"), run_name="__main__")


@pytest.fixture
def folder(tmp_path):
    classes = np.where(discs((40, 60), [(20, 20), (20, 36)], 10), 2, 0)
    (tmp_path / "probabilities").mkdir()
    np.save(tmp_path / "probabilities" / "pair.npy", as_probabilities(classes, 3))
    np.save(tmp_path / "probabilities" / "void.npy", as_probabilities(classes * 0, 3))
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
