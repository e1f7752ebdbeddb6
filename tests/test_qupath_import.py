"""Results come into QuPath once, in place of older ones, and leave what people drew; QuPath itself is not run here."""

import gzip
import json
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pytest

from histoloom.formats.geojson import Polygons, write_features
from histoloom.slides.export.qupath_objects import Origin, nucleus_features, region_features
from histoloom.slides.export.regions_vectors import Region
from histoloom.slides.nuclei.table import NucleiTable
from tests.qupath_runs import SCRIPTS, needs_groovy, run_cases

SIZE = [4000, 3000]


def feature(kind, name, number, mark="unet"):
    square = [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]
    return {
        "type": "Feature",
        "id": str(uuid5(NAMESPACE_URL, f"{kind}/{number}")),
        "geometry": {"type": "Polygon", "coordinates": [square]},
        "properties": {
            "objectType": kind,
            "classification": {"name": name, "color": [200, 0, 0]},
            "metadata": {"histoloom": mark} if mark else {},
        },
    }


def write_collection(path, features):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps({"type": "FeatureCollection", "features": features}).encode()))


def write_results(results, slug="slide_1", name="slide 1.svs", model="unet", mark="unet", regions=("Tumor", "Stroma")):
    folder = results / "slides" / slug
    areas = [feature("annotation", region, number, mark) for number, region in enumerate(regions)]
    nuclei = [feature("detection", "Tumor", number, mark) for number in range(3)]
    write_collection(folder / model / "regions.geojson.gz", areas)
    write_collection(folder / model / "nuclei.geojson.gz", nuclei)
    facts = {"name": name, "slide": f"/slides/{name}", "width": SIZE[0], "height": SIZE[1], "mpp": 0.25}
    (folder / "slide.json").write_text(json.dumps(facts))


def imported(results, *words, image="slide 1.svs", **more):
    facts = {"image": image, "project": {"images": [image], "classes": []}, "size": SIZE, "files": []} | more
    script = str(SCRIPTS / "import_results.groovy")
    return {"script": script, "args": [f"results={results}", *words], "state": facts, "lists": True}


def kinds(result):
    return sorted((one["type"], one["class"], one["histoloom"] or "a person") for one in result["objects"])


@pytest.fixture
def results(tmp_path):
    write_results(tmp_path / "results")
    return tmp_path / "results"


RESULT = [("annotation", "Stroma", "unet"), ("annotation", "Tumor", "unet"), *[("detection", "Tumor", "unet")] * 3]
DRAWN = {"class": "Tumor", "locked": True}


@needs_groovy
def test_an_import_repeated_changes_nothing_and_what_people_drew_stays(tmp_path, results):
    inside = {"class": "Stroma", "type": "annotation", "locked": True, "histoloom": "unet", "inside": [DRAWN]}
    other = {"class": "Necrosis", "locked": True, "histoloom": "other"}
    first, second, without = run_cases(
        [
            imported(results, objects=[inside, other, {"type": "detection", "class": "Cell"}]),
            imported(results),
            imported(results, "resolve=false", objects=[]),
        ],
        tmp_path,
    )
    stays = [
        ("annotation", "Tumor", "a person"),
        ("annotation", "Necrosis", "other"),
        ("detection", "Cell", "a person"),
    ]
    assert kinds(first) == sorted([*RESULT, *stays])
    assert "slide 1.svs: 5 objects of unet [Tumor:4, Stroma:1] imported, 1 replaced, 0 unlocked" in first["output"]
    assert "5 replaced" in second["output"]
    assert kinds(second) == kinds(first)
    assert sorted(one["id"] for one in second["objects"]) == sorted(one["id"] for one in first["objects"])
    assert all(one["locked"] for one in first["objects"] if one["type"] == "annotation")
    assert [one["isResolved"] for one in (first, second, without)] == [True, True, False]


@needs_groovy
def test_what_the_workflow_exports_is_taken(tmp_path, results):
    square = Polygons(np.array([0, 1]), np.array([0, 4]), np.array([[0, 0], [9, 0], [9, 9], [0, 9]], np.int32))
    nucleus = NucleiTable(
        np.array([2], np.uint8),
        np.array([81], np.int32),
        np.array([4.0]),
        np.array([4.0]),
        np.array([0.9], np.float32),
        square.ring_start,
        square.vertex_start,
        square.vertices,
    )
    origin = Origin("slide 1.svs", "hnscc/deep", ("background", "tumour", "stroma"), 750, 1000, 1.0, 4.0)
    folder = results / "slides" / "slide_1" / "hnscc" / "deep"
    folder.mkdir(parents=True)
    regions = [Region(1, 81, square), Region(2, 81, square)]
    write_features(folder / "regions.geojson.gz", {}, region_features(regions, origin))
    write_features(folder / "nuclei.geojson.gz", {}, nucleus_features([nucleus], origin))
    case = imported(results, "model=hnscc/deep", objects=[])
    first, second = run_cases([case, imported(results, "model=hnscc/deep")], tmp_path)
    assert kinds(first) == [
        ("annotation", "stroma", "hnscc/deep"),
        ("annotation", "tumour", "hnscc/deep"),
        ("detection", "stroma", "hnscc/deep"),
    ]
    assert second["objects"] == first["objects"]


@needs_groovy
def test_an_unlocked_annotation_belongs_to_who_unlocked_it(tmp_path, results):
    corrected = feature("annotation", "Tumor", 0)["id"]
    mine = {"class": "Tumor", "histoloom": "unet", "id": corrected}
    first, second = run_cases([imported(results, objects=[mine]), imported(results)], tmp_path)
    assert kinds(first) == sorted([*RESULT, ("annotation", "Tumor", "a person")])
    assert "0 replaced, 1 unlocked ones kept" in first["output"]
    assert kinds(second) == kinds(first)
    ids = [one["id"] for one in first["objects"]]
    assert len(set(ids)) == len(ids), "the corrected annotation and the one of the file share an id"


@needs_groovy
def test_nuclei_can_be_left_as_they_are(tmp_path, results):
    old = {"type": "detection", "class": "Necrosis", "histoloom": "unet"}
    (result,) = run_cases([imported(results, "objects=regions", objects=[old])], tmp_path)
    assert kinds(result) == sorted([*RESULT[:2], ("detection", "Necrosis", "unet")])


@needs_groovy
def test_results_that_became_fewer_leave_none_of_the_old_behind(tmp_path, results):
    write_results(results, regions=())
    old = {"class": "Tumor", "locked": True, "histoloom": "unet"}
    (result,) = run_cases([imported(results, "objects=regions", objects=[old, old])], tmp_path)
    assert result["objects"] == []


@needs_groovy
def test_a_slide_is_found_by_the_name_of_image_or_file(tmp_path, results):
    write_results(results, slug="fall_3", name="Fall 3 é.ndpi")
    write_results(results, slug="bare", name="case 7")
    cases = [
        imported(results, image="Fall 3 é.ndpi", objects=[]),
        imported(results, image="renamed", files=["/elsewhere/Fall 3 é.ndpi"], objects=[]),
        imported(results, image="case 7.svs", objects=[]),
        imported(results, image="Fall 3 é.ndpi", project=None, objects=[]),
        imported(results, image="Fall 3 é.svs", objects=[DRAWN]),  # another slide
    ]
    found = run_cases(cases, tmp_path)
    assert [len(result["objects"]) for result in found] == [5, 5, 5, 5, 1]
    assert "Fall 3 é.svs: no results of this name in" in found[4]["output"]


@needs_groovy
def test_of_several_models_one_is_named_and_both_stay_side_by_side(tmp_path, results):
    write_results(results, model="hnscc/deep", mark="hnscc/deep", regions=("Necrosis",))
    cases = [imported(results, "model=unet", objects=[]), imported(results, "model=hnscc/deep"), imported(results)]
    first, second, third = run_cases(cases, tmp_path)
    assert (len(first["objects"]), len(second["objects"])) == (5, 9)
    assert "model='', with results of hnscc/deep, unet; expected one of them; give model=" in third["error"]


@needs_groovy
def test_refusals_name_value_and_cure_and_change_nothing(tmp_path, results):
    damaged, foreign, twice, bare = (tmp_path / name for name in ("damaged", "foreign", "twice", "bare"))
    for folder in (damaged, foreign, twice, bare):
        write_results(folder, mark=None if folder == foreign else "unet")
    path = damaged / "slides" / "slide_1" / "unet" / "nuclei.geojson.gz"
    path.write_bytes(path.read_bytes()[:40])
    write_results(twice, slug="again")
    (bare / "slides" / "slide_1" / "unet" / "nuclei.geojson.gz").unlink()
    expected = [
        (imported(tmp_path / "no such"), "slides: no results of slides there; expected folders with a slide.json"),
        (imported(results, "resolve=yes"), "resolve=yes: expected true or false"),
        (imported(results, "objects=cells"), "objects=cells: expected regions, nuclei, or regions,nuclei"),
        (imported(results, "modle=unet"), "--args modle=unet: no setting; expected key=value with one of results"),
        (imported(results) | {"args": None}, "no results; expected --args results=...; add it"),
        (imported(results, image=None), "no image; expected one"),
        (imported(results, "model=deep"), "model='deep', with results of unet; expected one of them"),
        (
            imported(results, size=[2000, 1500]),
            "is 2000 x 1500 px, slide_1/slide.json says 4000 x 3000; expected the same",
        ),
        (imported(damaged), "nuclei.geojson.gz: cannot be read ("),
        (imported(foreign), "holds objects that are not of histoloom"),
        (imported(twice), "has the name of 2 slides, again and slide_1; expected one; rename"),
        (imported(bare), "nuclei.geojson.gz: no such file; expected the results of a slide"),
    ]
    old = {"class": "Tumor", "locked": True, "histoloom": "unet"}
    for case, _ in expected:
        case["state"]["objects"] = [old]
    outcomes = run_cases([case for case, _ in expected], tmp_path)
    for (_, message), outcome in zip(expected, outcomes, strict=True):
        assert outcome.get("error", "no error").startswith("IllegalArgumentException: ")
        assert message in outcome["error"]
        assert outcome["error"].count(";") >= 1, "a cure is missing"
        assert [one["class"] for one in outcome["objects"]] == ["Tumor"]
