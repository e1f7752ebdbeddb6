import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile
import yaml
from jsonschema import Draft202012Validator

from histoloom.files import write_json
from histoloom.formats.geojson import Polygons
from histoloom.formats.images import write_image
from histoloom.formats.shapes import paint, read_shapes
from histoloom.slides.export.qupath_objects import nucleus_features
from histoloom.slides.nuclei.table import write_tables
from tests.scripts_run import outcome
from tests.slides.made_results import NAMES, SLIDE, SLIDE_MPP, blobs, discs, nuclei_of, origin, stored

SCRIPTS = Path(__file__).parents[2] / "scripts"
SCHEMA = yaml.safe_load((SCRIPTS.parent / "workflow/schemas/geojson.schema.yaml").read_text())


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """Everything that export reads of a slide of 600 x 450 full-resolution pixels."""
    classes, labels = blobs(300, 225), discs(300, 225)
    stored(tmp_path / "classes", classes)
    shares = np.zeros((300, 225, 4), np.uint8)
    np.put_along_axis(shares, classes[..., None], 255, axis=2)
    write_json(tmp_path / "seams.json", {"seam_index": 1.02})
    stored(tmp_path / "probabilities", shares)
    kinds = (np.arange(labels.max()) % 3 + 1).astype(np.uint8)
    half = len(kinds) // 2
    parts = [np.where(labels <= half, labels, 0), np.where(labels > half, labels - half, 0)]
    tables = [nuclei_of(parts[0].astype(np.int32), kinds[:half]), nuclei_of(parts[1].astype(np.int32), kinds[half:])]
    (tmp_path / "nuclei").mkdir()
    write_tables(tmp_path / "nuclei", tables)
    write_image(tmp_path / "tissue.png", np.full((19, 14), 255, np.uint8))  # 8 µm: 18.75 x 14.06
    facts = {"name": SLIDE, "slide": "odd.svs", "width": 450, "height": 600, "mpp": SLIDE_MPP, "tissue_mpp": 8.0}
    (tmp_path / "slide.json").write_text(json.dumps(facts))
    return tmp_path


def export(folder: Path, simplify_um: float = 0.0, *more: str) -> str:
    words = [str(SCRIPTS / "export_slide.py"), "--model-name", "a/b", "--simplify-um", str(simplify_um), *more]
    for flag, name in {
        "classes": "classes",
        "nuclei": "nuclei",
        "slide-json": "slide.json",
        "tissue": "tissue.png",
        "seams": "seams.json",
        "class-map": "out/classes.ome.tif",
        "regions": "out/regions.geojson.gz",
        "nuclei-outlines": "out/nuclei.geojson.gz",
        "areas": "out/areas.csv",
    }.items():
        words += [f"--{flag}", str(folder / name)]
    return outcome(words)


def content(folder: Path, name: str) -> dict:
    return json.loads(gzip.decompress((folder / "out" / name).read_bytes()))


def test_all_files_of_a_slide_are_written_and_qupath_can_read_them(slide):
    assert export(slide) == "done"
    names = {each.name for each in (slide / "out").iterdir()}
    assert names == {"classes.ome.tif", "regions.geojson.gz", "nuclei.geojson.gz", "areas.csv"}
    validator = Draft202012Validator(SCHEMA)
    for name, kind in {"regions": "annotation", "nuclei": "detection"}.items():
        collection = content(slide, f"{name}.geojson.gz")
        assert collection["histoloom"] == {"slide": SLIDE, "model": "a/b", "mpp": 0.25, "simplified_um": 0.0}
        assert next(validator.iter_errors(collection), None) is None
        for each in collection["features"]:
            properties = each["properties"]
            assert (properties["objectType"], properties["metadata"]) == (kind, {"histoloom": "a/b"})
            assert properties.get("isLocked", False) == (kind == "annotation")
    with (slide / "out/areas.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["slide"], row["class"]) for row in rows] == [(SLIDE, name) for name in NAMES]
    with tifffile.TiffFile(slide / "out/classes.ome.tif") as file:
        assert file.series[0].shape == (3, 300, 225)


def test_qupath_keeps_its_own_colours_and_others_get_the_reports(slide):
    export(slide)
    features = content(slide, "nuclei.geojson.gz")["features"]
    colours = {
        each["properties"]["classification"]["name"]: each["properties"]["classification"]["color"] for each in features
    }
    assert colours == {"Tumor": [200, 0, 0], "gland: inner": [240, 228, 66], "Stroma": [150, 200, 150]}


def test_nuclei_painted_again_give_every_nucleus_with_its_numbers(slide):
    export(slide)
    features = content(slide, "nuclei.geojson.gz")["features"]
    labels = discs(300, 225)
    shapes = read_shapes(slide / "out/nuclei.geojson.gz").shapes
    ids = range(1, len(shapes) + 1)
    again = paint([each.geometry for each in shapes], ids, column=0, row=0, width=225, height=300, downsample=2)
    assert (again == labels).all()
    half = len(ids) // 2
    means = [*np.linspace(0.5, 1, half), *np.linspace(0.5, 1, len(ids) - half)]
    for number, each, mean in zip(ids, features, means, strict=True):
        measured = each["properties"]["measurements"]
        assert measured == {
            "Area µm^2": np.count_nonzero(labels == number) * 0.25,
            "Mean probability": pytest.approx(mean, abs=5e-5),
        }
        assert each["properties"]["classification"]["name"] == NAMES[(number - 1) % 3 + 1]
        assert int(each["id"][-12:], 16) == number - 1


def test_the_same_input_gives_the_same_bytes(slide):
    export(slide)
    before = {each.name: each.read_bytes() for each in (slide / "out").iterdir()}
    export(slide)
    assert {each.name: each.read_bytes() for each in (slide / "out").iterdir()} == before


def test_tolerance_is_in_micrometres_and_for_nuclei_too(slide):
    export(slide)
    exact = {name: content(slide, name)["features"] for name in ("regions.geojson.gz", "nuclei.geojson.gz")}
    export(slide, 0.75)
    for name, features in exact.items():
        simple = content(slide, name)["features"]
        assert [each["id"] for each in simple] == [each["id"] for each in features]
        assert [each["properties"] for each in simple] == [each["properties"] for each in features]
        for one, other in zip(simple, features, strict=True):
            rings, edges = (shapely.Polygon(*_parts(each["geometry"]["coordinates"])) for each in (one, other))
            assert rings.is_valid
            assert shapely.hausdorff_distance(rings, edges) <= 0.75 / SLIDE_MPP + 0.02
        fewer, all_of_them = (sum(len(str(each["geometry"])) for each in each_of) for each_of in (simple, features))
        assert fewer < 0.7 * all_of_them


def _parts(rings: list) -> tuple[list, list]:
    return rings[0], rings[1:]


def test_probabilities_are_written_background_with_them(slide):
    flags = ["--probabilities", str(slide / "probabilities"), "--probability-map", str(slide / "out/p.ome.tif")]
    assert outcome([str(SCRIPTS / "export_probabilities.py"), *flags]) == "done"
    with tifffile.TiffFile(slide / "out/p.ome.tif") as file:
        values = file.series[0].asarray()
    assert (values.argmax(axis=0) == blobs(300, 225)).all()


def test_a_slide_without_anything_gives_empty_collections(tmp_path, slide):
    for name in ("classes", "nuclei"):
        for each in (slide / name).iterdir():
            each.unlink()
    stored(slide / "classes", np.zeros((300, 225), np.uint8))
    write_tables(slide / "nuclei", [nuclei_of(np.zeros((30, 30), np.int32), np.zeros(0, np.uint8))])
    assert export(slide, 1.0) == "done"
    assert content(slide, "regions.geojson.gz")["features"] == content(slide, "nuclei.geojson.gz")["features"] == []


def test_impossible_flags_are_refused_with_the_cure(slide):
    assert "--simplify-um: -1.0; expected 0 or more" in export(slide, -1)


def test_a_missing_table_and_a_damaged_band_are_named(slide):
    (slide / "classes/000000.zst").write_bytes(b"damaged")
    assert "000000.zst: cannot be read" in export(slide)
    (slide / "classes/000000.zst").unlink()
    stored(slide / "classes", blobs(300, 225))
    for each in (slide / "nuclei").iterdir():
        each.unlink()
    assert "no table of nuclei" in export(slide)
    assert not (slide / "out/nuclei.geojson.gz").exists()


def test_batches_of_nuclei_change_nothing(monkeypatch):
    labels = discs(90, 300)
    table = nuclei_of(labels, np.ones(labels.max(), np.uint8))
    whose = origin((90, 300))
    whole = list(nucleus_features([table], whose, 1.0))
    monkeypatch.setattr("histoloom.slides.export.qupath_objects.NUCLEI_AT_ONCE", 7)
    assert list(nucleus_features([table], whose, 1.0)) == whole
    assert len(whole) == labels.max() == 30
    assert len(Polygons(table.ring_start, table.vertex_start, table.vertices)) == 30
