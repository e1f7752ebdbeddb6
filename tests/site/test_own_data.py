"""The studies of docs/own_data.md pass the check of configs, and their readers read what the page lays out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from histoloom import plugins
from histoloom.formats.images import write_image
from histoloom.prepare.preparation import checked_options
from histoloom.study.checks.complaint import complaint

REPOSITORY = Path(__file__).parents[2]
BASE = REPOSITORY / "config" / "config.yaml"
PAGE = (REPOSITORY / "docs" / "own_data.md").read_text(encoding="utf-8")
STUDIES = dict(re.findall(r"^`([\w./]+)`:\n\n```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
GLANDS, TONGUE = (STUDIES[f"config/studies/{name}.yaml"] for name in ("glands", "tongue"))
PATIENTS = re.search(r"^( {4}name,group.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)[1].replace("    ", "")
TISSUE = np.full((32, 48, 3), 200, np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for dataset in yaml.safe_load(BASE.read_text(encoding="utf-8"))["datasets"].values():
        Path(dataset["root"]).mkdir(parents=True)
    return tmp_path


def lay_glands():
    for name, value in (("P01_1", 0), ("P01_2", 128), ("P02_1", 255)):
        for part, values in (("images", TISSUE), ("masks", np.full((32, 48), value, np.uint8))):
            Path("data/glands", part).mkdir(parents=True, exist_ok=True)
            write_image(Path("data/glands", part, f"{name}.png"), values)
    Path("data/glands/patients.csv").write_text(PATIENTS)


def square(name, top, bottom):
    corners = [[4, top], [20, top], [20, bottom], [4, bottom], [4, top]]
    properties = {"objectType": "annotation", "classification": {"name": name}}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [corners]}, "properties": properties}


def lay_tongue():
    drawn = {"0001": [square("Tumor centre", 4, 20)], "0002": [square("Stroma", 4, 20), square("Fold", 4, 12)]}
    for part in ("images", "annotations"):
        Path("data/tongue", part).mkdir(parents=True)
    for patient, shapes in drawn.items():
        write_image(Path(f"data/tongue/images/TCGA-CR-{patient}.png"), TISSUE)
        collection = {"type": "FeatureCollection", "features": shapes}
        Path(f"data/tongue/annotations/TCGA-CR-{patient}.geojson").write_text(json.dumps(collection))


def read(study):
    (entry,) = yaml.safe_load(study)["datasets"].values()
    options = checked_options(entry["reader"], entry["options"])
    return plugins.load("datasets", entry["reader"])(Path(entry["root"]), **options)


@pytest.mark.parametrize(("study", "lay"), [(GLANDS, lay_glands), (TONGUE, lay_tongue)], ids=["glands", "tongue"])
def test_a_study_of_the_page_passes_the_check(folder, study, lay):
    lay()
    Path("study.yaml").write_text(study)
    assert complaint([BASE, Path("study.yaml")], {}) == ""
    Path("study.yaml").write_text(study.replace("epochs:", "epoch:"))
    assert "did you mean 'epochs'" in complaint([BASE, Path("study.yaml")], {})


def test_the_folder_of_the_page_is_read_with_its_table_of_patients(folder):
    lay_glands()
    dataset = read(GLANDS)
    samples = list(dataset)
    assert not dataset.problems
    assert dataset.classes == ("background", "gland", "tumour")
    assert [(one.name, one.group, one.stratum, one.mpp, one.mask[0, 0]) for one in samples] == [
        ("P01_1", "P01", "colon", 0.5, 0),
        ("P01_2", "P01", "colon", 0.5, 1),
        ("P02_1", "P02", "rectum", 0.5, 2),
    ]


def test_the_annotations_of_the_page_are_read_with_merged_and_dropped_classes(folder):
    lay_tongue()
    dataset = read(TONGUE)
    assert not dataset.problems
    assert dataset.classes == ("background", "tumour", "stroma")
    # A square of 16 full-resolution pixels a side from (4, 4), at a downsample of 2: 8 by 8 from (2, 2).
    tumour, stroma = np.full((2, 16, 24), 255, np.uint8)
    tumour[2:10, 2:10] = 1
    stroma[6:10, 2:10] = 2  # its upper half is a fold, which is ignored
    assert [one.group for one in dataset] == ["TCGA-CR-0001", "TCGA-CR-0002"]
    for sample, expected in zip(dataset, (tumour, stroma), strict=True):
        np.testing.assert_array_equal(sample.mask, expected)
