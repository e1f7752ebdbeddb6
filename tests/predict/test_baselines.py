"""Baselines give probabilities without learning, on any image."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.draw import disk

from histoloom import plugins
from histoloom.baselines.haematoxylin_otsu import haematoxylin_otsu
from histoloom.files import write_json, write_table
from histoloom.formats.images import write_image
from histoloom.predict.class_frequency import most_frequent_foreground
from histoloom.prepared import INDEX_COLUMNS

# Optical densities (red, green, blue) of pure stains: Ruifrok and Johnston 2001, table 1.
HAEMATOXYLIN = np.array([0.65, 0.70, 0.29])
EOSIN = np.array([0.07, 0.99, 0.11])
SCRIPTS = Path(__file__).parents[2] / "scripts"


def stained(height=60, width=80):
    """Haematoxylin discs on eosin by the law of Beer and Lambert, and where the discs are."""
    nuclei = np.zeros((height, width), bool)
    for centre in ((15, 20), (40, 55), (45, 12)):
        nuclei[disk(centre, 8)] = True
    amounts = np.random.default_rng(0).uniform(0.8, 1.6, (height, width, 1))
    density = np.where(nuclei[..., None], amounts, 0.1) * HAEMATOXYLIN + 0.4 * EOSIN
    return np.rint(255 * 10**-density).astype(np.uint8), nuclei


def constant(value):
    return np.full((9, 7, 3), value, np.uint8)


@pytest.mark.parametrize("name", plugins.names("baselines"))
@pytest.mark.parametrize("image", [constant(0), constant(255), constant(128), stained()[0], constant(7)[:1, :1]])
@pytest.mark.parametrize("classes", [2, 6])
def test_every_baseline_gives_probabilities(name, image, classes):
    probabilities = plugins.load("baselines", name)(image, classes)
    assert probabilities.shape == (*image.shape[:2], classes)
    assert probabilities.dtype == np.float32
    assert (probabilities.sum(axis=2) == 1).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_image_of_one_colour_is_background(value):
    assert (haematoxylin_otsu(constant(value), 2)[..., 0] == 1).all()


def test_haematoxylin_discs_on_eosin_are_found():
    image, nuclei = stained()
    assert np.array_equal(haematoxylin_otsu(image, 2)[..., 1] == 1, nuclei)


def test_darker_eosin_is_not_taken_for_a_nucleus():
    image, nuclei = stained()
    image[50:, 30:] = np.rint(255 * 10 ** -(1.2 * EOSIN + 0.1 * HAEMATOXYLIN))
    assert np.array_equal(haematoxylin_otsu(image, 2)[..., 1] == 1, nuclei & ~_corner(nuclei))


def _corner(nuclei):
    corner = np.zeros_like(nuclei)
    corner[50:, 30:] = True
    return corner


def test_foreground_takes_the_class_that_it_is_given():
    image, nuclei = stained()
    probabilities = haematoxylin_otsu(image, 4, foreground_class=3)
    assert np.array_equal(probabilities.argmax(axis=2), np.where(nuclei, 3, 0))


def test_most_frequent_class_counts_neither_background_nor_ignored_pixels():
    masks = [np.array([[0, 0, 0, 255, 255]], np.uint8), np.array([[255, 255, 1, 3, 3]], np.uint8)]
    assert most_frequent_foreground(masks, 4) == 3
    assert most_frequent_foreground([np.array([[2, 1]], np.uint8)], 4) == 1
    assert most_frequent_foreground([np.zeros((2, 2), np.uint8)], 4) == 1


def test_script_gives_foreground_the_class_of_the_training_part(tmp_path, monkeypatch):
    image, nuclei = stained()
    rows = []
    for name, value in (("seen", 2), ("asked", 1)):  # the class of the test image must not leak into the prediction
        write_image(tmp_path / f"{name}.png", image)
        write_image(tmp_path / f"{name}_mask.png", np.where(nuclei, value, 0).astype(np.uint8))
        files = {"name": name, "image": f"{name}.png", "mask": f"{name}_mask.png", "height": 60, "width": 80}
        rows.append(dict.fromkeys(INDEX_COLUMNS, "") | files)
    write_table(tmp_path / "index.csv", INDEX_COLUMNS, rows)
    write_table(
        tmp_path / "folds.csv", ("fold", "part", "name", "group"), [(0, "train", "seen", ""), (0, "test", "asked", "")]
    )
    texts = dict.fromkeys(("name", "reader", "licence", "citation"), "")
    write_json(
        tmp_path / "dataset.json",
        {**texts, "classes": ["background", "a", "b"], "has_instances": False, "facts": {}, "warnings": []},
    )
    flags = ["--baseline", "haematoxylin_otsu", "--fold", "0", "--part", "test"]
    for flag in ("index.csv", "folds.csv", "dataset.json", "probabilities", "maps"):
        flags += [f"--{flag.partition('.')[0]}", str(tmp_path / flag)]
    monkeypatch.setattr(sys, "argv", ["predict_baseline.py", *flags])
    runpy.run_path(str(SCRIPTS / "predict_baseline.py"), run_name="__main__")
    assert [path.name for path in (tmp_path / "probabilities").iterdir()] == ["asked.npy"]
    assert list((tmp_path / "maps").iterdir()) == []
    probabilities = np.load(tmp_path / "probabilities" / "asked.npy")
    assert np.array_equal(probabilities[..., 2], np.where(nuclei, 255, 0))
