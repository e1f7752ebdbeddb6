import gzip
import json
import uuid
from pathlib import Path

import numpy as np
import pytest
import shapely
import yaml
from jsonschema import Draft202012Validator

from histoloom.formats.geojson import (
    Coordinates,
    Polygons,
    class_member,
    feature,
    json_bytes,
    object_ids,
    write_features,
)
from histoloom.formats.shapes import read_shapes

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "qupath"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")
SCHEMA = yaml.safe_load((Path(__file__).parents[2] / "workflow/schemas/geojson.schema.yaml").read_text())
ABOUT = {"slide": "a", "model": "m", "mpp": 0.25, "simplified_um": 0.0}
SQUARE, HOLE = [[2, 3], [12, 3], [12, 8], [2, 8]], [[4, 4], [4, 6], [6, 6], [6, 4]]
ODD_NAMES = ['a "quoted" name', "a\\b/c", "tab\tline\nend", "Größe µm² 肿瘤 🔬", "%b %s {0}", "\udcff.svs", "</script>"]


def columns(*polygons: list[list[list[int]]]) -> Polygons:
    """Polygons as lists of rings, in columns."""
    rings = [ring for polygon in polygons for ring in polygon]
    vertices = np.array([vertex for ring in rings for vertex in ring], np.int32).reshape(-1, 2)
    return Polygons(np.cumsum([0, *map(len, polygons)]), np.cumsum([0, *map(len, rings)]), vertices)


def text_of(polygon: list, properties: object = None, number: int = 0, factor: float = 1.0) -> bytes:
    (identity,) = object_ids("a", "m", "region", number, 1)
    return feature(identity, Coordinates(20, 20, factor).of(columns(polygon))[0], json_bytes(properties or {}))


def read(path: Path) -> dict:
    return json.loads(gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes())


def test_coordinates_are_full_resolution_pixels_with_two_decimals_in_closed_rings():
    (text,) = Coordinates(20, 20, 0.5 / 0.2527).of(columns([SQUARE, HOLE]))
    outline, hole = json.loads(text)
    # 2 * 0.5 / 0.2527 = 3.957, 3 * = 5.936, 12 * = 23.744, 8 * = 15.829; 4 * = 7.915, 6 * = 11.872
    assert outline == [[3.96, 5.94], [23.74, 5.94], [23.74, 15.83], [3.96, 15.83], [3.96, 5.94]]
    assert hole == [[7.91, 7.91], [7.91, 11.87], [11.87, 11.87], [11.87, 7.91], [7.91, 7.91]]


def test_whole_coordinates_have_no_decimals():
    assert Coordinates(20, 20, 10.0).of(columns([SQUARE])) == [b"[[[20,30],[120,30],[120,80],[20,80],[20,30]]]"]
    assert Coordinates(20, 20, 0.5).of(columns([HOLE])) == [b"[[[2,2],[2,3],[3,3],[3,2],[2,2]]]"]


def test_many_polygons_keep_their_own_rings_and_order():
    rng = np.random.default_rng(0)
    boxes = [[[[x, y], [x + 3, y], [x + 3, y + 5], [x, y + 5]]] for x, y in rng.integers(0, 900, (50, 2)).tolist()]
    boxes[7].append([[1, 1], [1, 2], [2, 2], [2, 1]])
    table = columns(*boxes)
    texts = Coordinates(1000, 1000, 1.0).of(table)
    assert [[ring[:-1] for ring in json.loads(text)] for text in texts] == boxes
    assert Coordinates(1000, 1000, 1.0).of(table.part(5, 12)) == texts[5:12]
    assert Coordinates(1000, 1000, 1.0).of(table.part(50, 50)) == []


def test_the_last_row_and_column_have_coordinates():
    (text,) = Coordinates(3, 7, 1.0).of(columns([[[0, 0], [7, 0], [7, 3], [0, 3]]]))
    assert shapely.Polygon(*json.loads(text)).area == 21


def test_ids_are_uuids_that_tell_slide_model_kind_and_number():
    words = [("a", "m", "region"), ("a", "m", "nucleus"), ("a", "n", "region"), ("b", "m", "region"), ("am", "", "x")]
    ids = [identity.decode() for each in words for identity in object_ids(*each, 0, 300)]
    assert len(set(ids)) == 1500
    assert {(uuid.UUID(identity).version, uuid.UUID(identity).variant) for identity in ids} == {(8, uuid.RFC_4122)}
    assert all(str(uuid.UUID(identity)) == identity for identity in ids)


def test_ids_are_the_same_in_every_run_whatever_the_batches():
    assert object_ids("a", "m", "nucleus", 0, 10)[4:6] == object_ids("a", "m", "nucleus", 4, 2)
    assert int(object_ids("a", "m", "nucleus", 4242, 1)[0][-12:], 16) == 4242


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_come_back_as_they_were_from_ascii_text(tmp_path, name):
    properties = {"classification": class_member(name, np.array([1, 2, 3], np.uint8)), "metadata": {name: name}}
    path = tmp_path / "a.geojson"
    write_features(path, {"slide": name}, [text_of([SQUARE], properties)])
    content = read(path)
    assert path.read_bytes().isascii()
    assert content["histoloom"] == {"slide": name}
    assert content["features"][0]["properties"] == {
        "classification": {"name": name, "color": [1, 2, 3]},
        "metadata": {name: name},
    }


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz"])
@pytest.mark.parametrize("count", [0, 1, 3, 30_000])
def test_every_feature_is_written_once_in_order(tmp_path, name, count):
    texts = [text_of([SQUARE], number=number) for number in range(min(count, 1000))]
    texts = [texts[number % 1000] for number in range(count)]
    assert write_features(tmp_path / name, ABOUT, iter(texts)) == count
    content = read(tmp_path / name)
    assert [int(each["id"][-12:], 16) for each in content["features"]] == [number % 1000 for number in range(count)]
    assert (content["type"], content["histoloom"]) == ("FeatureCollection", ABOUT)


def test_every_feature_stands_on_a_line_of_its_own(tmp_path):
    write_features(tmp_path / "a.geojson", ABOUT, [text_of([SQUARE], number=number) for number in range(3)])
    head, *lines, end = (tmp_path / "a.geojson").read_text().splitlines()
    assert head.endswith('"features":[')
    assert [json.loads(line.rstrip(","))["type"] for line in lines] == ["Feature"] * 3
    assert end == "]}"


def test_gzip_has_neither_time_nor_name_in_its_header(tmp_path):
    for name in ("a.geojson.gz", "other.geojson.gz"):
        write_features(tmp_path / name, ABOUT, [text_of([SQUARE])])
    content = (tmp_path / "a.geojson.gz").read_bytes()
    assert content == (tmp_path / "other.geojson.gz").read_bytes()
    assert content[:8] == b"\x1f\x8b\x08\0\0\0\0\0"  # RFC 1952: magic, deflate, no flags, no time


def test_a_failing_source_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.geojson.gz"
    write_features(path, ABOUT, [text_of([SQUARE])])
    before = path.read_bytes()

    def failing():
        yield text_of([SQUARE])
        raise KeyError("cancelled")

    with pytest.raises(KeyError):
        write_features(path, ABOUT, failing())
    assert [each.name for each in tmp_path.iterdir()] == ["a.geojson.gz"]
    assert path.read_bytes() == before


def test_a_number_that_json_lacks_is_no_silent_null():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes({"Area": float("nan")})


def test_our_own_reader_reads_what_is_written(tmp_path):
    properties = {"objectType": "detection", "classification": class_member("Tumor", (200, 0, 0))}
    write_features(tmp_path / "a.geojson.gz", ABOUT, [text_of([SQUARE, HOLE], properties, factor=2.0)])
    drawing = read_shapes(tmp_path / "a.geojson.gz")
    (shape,) = drawing.shapes
    assert (shape.class_name, shape.kind, shape.geometry.area) == ("Tumor", "detection", 4 * (50 - 4))
    assert not any(drawing.counts.values())


def complaints(value: object, part: str = "") -> list[str]:
    schema = {"$ref": f"#/$defs/{part}", "$defs": SCHEMA["$defs"]} if part else SCHEMA
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


def test_the_schema_is_one_and_takes_what_is_written(tmp_path):
    Draft202012Validator.check_schema(SCHEMA)
    properties = {
        "objectType": "annotation",
        "isLocked": True,
        "measurements": {"Area µm^2": 1.5},
        "metadata": {"a": "b"},
    }
    properties |= {"classification": class_member("Tumor", (200, 0, 0))}
    write_features(tmp_path / "a.geojson", ABOUT, [text_of([SQUARE, HOLE], properties)])
    assert complaints(read(tmp_path / "a.geojson")) == []


BAD = {
    "name without colour": {"properties": {"classification": {"name": "Tumor"}}},
    "null colour": {"properties": {"classification": {"name": "Tumor", "color": None}}},
    "null name": {"properties": {"name": None}},
    "colour of two numbers": {"properties": {"classification": {"name": "Tumor", "color": [1, 2]}}},
    "colour beyond 255": {"properties": {"color": [1, 2, 256]}},
    "null measurement": {"properties": {"measurements": {"Area": None}}},
    "nested metadata": {"properties": {"metadata": {"histoloom": {"model": "m"}}}},
    "number as id": {"id": 7},
    "no uuid": {"id": "nucleus-7"},
    "no geometry": {"geometry": None},
    "open triangle": {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}},
    "ring level missing": {"geometry": {"type": "Polygon", "coordinates": SQUARE}},
    "circle": {"geometry": {"type": "Circle", "coordinates": [1, 2]}},
    "unknown kind": {"properties": {"objectType": "nucleus"}},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_the_schema_refuses_what_qupath_would_not_take_whole(change):
    sound = json.loads(text_of([SQUARE]))
    for one in ({"type": "FeatureCollection", "features": [sound | change]}, [sound | change], sound | change):
        assert complaints(one)
    assert complaints([sound]) == complaints({"type": "FeatureCollection", "features": [sound]}) == []


@needs_samples
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.geojson")), ids=lambda path: path.name)
def test_real_exports_pass_the_schema(path):
    value = json.loads(path.read_bytes())
    # Three points of a thousand say as much about the format: the schema looks at each by itself.
    for one in value if isinstance(value, list) else []:
        assert len(one["geometry"]["coordinates"]) > 3
        one["geometry"]["coordinates"] = one["geometry"]["coordinates"][:3]
    assert complaints(value) == []


@needs_samples
@pytest.mark.parametrize("name", ["qupath_core_pathclass_legacy.json", "qupath_core_pathclass_new.json"])
def test_real_classes_old_and_new_pass_the_schema(name):
    assert complaints(json.loads((SAMPLES / name).read_bytes()), "classification") == []
