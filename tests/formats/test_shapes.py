import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.formats.shapes import Drawing, class_name, paint, read_shapes

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "qupath"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")
SQUARE = [[2, 3], [12, 3], [12, 8], [2, 8], [2, 3]]  # 10 wide, 5 high


def feature(coordinates=None, classification=None, kind="Polygon", **more) -> dict:
    geometry = {"type": kind, "coordinates": [SQUARE] if coordinates is None else coordinates}
    properties = {"objectType": "annotation"} | ({"classification": classification} if classification else {})
    return {"type": "Feature", "geometry": geometry, "properties": properties} | more


def read(tmp_path: Path, value, name: str = "a.geojson") -> Drawing:
    path = tmp_path / name
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return read_shapes(path)


def painted(geometry: shapely.Geometry, width=20, height=20, **place) -> np.ndarray:
    return paint([geometry], [1], **({"column": 0, "row": 0} | place), width=width, height=height)


LAYOUTS = {
    "collection": lambda one: {"type": "FeatureCollection", "features": [one]},
    "features first": lambda one: {"features": [one], "type": "FeatureCollection"},
    "array": lambda one: [one],
    "single": lambda one: one,
    "bare geometry": lambda one: one["geometry"],
    "array of geometries": lambda one: [one["geometry"]],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_layout_gives_the_one_polygon(tmp_path, layout, pack):
    drawing = read(tmp_path, pack(json.dumps(LAYOUTS[layout](feature())).encode()))
    assert [shape.geometry.area for shape in drawing.shapes] == [50]
    assert drawing.shapes[0].kind == "annotation"


@pytest.mark.parametrize("empty", [[], {"type": "FeatureCollection", "features": []}])
def test_a_drawing_may_be_empty(tmp_path, empty):
    assert read(tmp_path, empty).shapes == ()


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        ({"name": "Tumor", "color": [200, 0, 0]}, "Tumor"),
        ({"names": ["Tumor", "Positive"], "color": [1, 2, 3]}, "Tumor: Positive"),
        ({"name": "Tumor:Positive", "color": [1, 2, 3]}, "Tumor: Positive"),
        ({"name": "Stroma", "colorRGB": -3670016}, "Stroma"),
        ({"name": "Positive", "colorRGB": -1, "parentClass": {"name": "Tumor", "colorRGB": -1}}, "Tumor: Positive"),
        ("Immune cells", "Immune cells"),
        (None, ""),
        ({"name": None, "color": [1, 2, 3]}, ""),
        ({"color": [1, 2, 3]}, ""),
    ],
)
def test_class_has_one_name_in_every_spelling(classification, name):
    assert class_name(classification) == name


@needs_samples
def test_legacy_and_new_spelling_of_qupaths_own_examples_say_four_names():
    legacy, new = (
        json.loads((SAMPLES / f"qupath_core_pathclass_{kind}.json").read_text()) for kind in ("legacy", "new")
    )
    assert class_name(new) == "First: Second: Third: Fourth"
    assert class_name(legacy) == "First-legacy: Second-legacy: Third-legacy: Fourth-legacy"


@needs_samples
def test_real_exports_give_as_many_shapes_as_json_holds_features():
    for name in ("dlup_qupath05_export", "nulite_TCGA-V5-A7RE_cell_detection"):
        values = json.loads((SAMPLES / f"{name}.geojson").read_text())
        features = values["features"] if isinstance(values, dict) else values
        drawing = read_shapes(SAMPLES / f"{name}.geojson")
        assert len(drawing.shapes) == len(features)
        for shape, value in zip(drawing.shapes, features, strict=True):
            expected = shapely.geometry.shape(value["geometry"])
            assert shape.geometry.area == pytest.approx(expected.area)
            assert shapely.get_num_coordinates(shape.geometry) == shapely.get_num_coordinates(expected)


@needs_samples
def test_bare_geometry_of_qupath_keeps_its_area():
    path = SAMPLES / "qupath_core_polygon_geometry_only.geojson"
    expected = shapely.geometry.shape(json.loads(path.read_text()))
    (shape,) = read_shapes(path).shapes
    assert expected.area > 0
    assert shape.geometry.area == pytest.approx(shapely.make_valid(expected).area)


def test_kind_is_told_by_object_type_or_by_the_id_of_old_versions(tmp_path):
    old = feature() | {"id": "PathDetectionObject", "properties": {}}
    cell = feature() | {"properties": {"objectType": "cell", "measurements": {"Area": "NaN"}}}
    kinds = [shape.kind for shape in read(tmp_path, [old, cell, feature()]).shapes]
    assert kinds == ["detection", "cell", "annotation"]


def test_a_cell_is_its_nucleus(tmp_path):
    nucleus = {"type": "Polygon", "coordinates": [[[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]]}
    (shape,) = read(tmp_path, [feature(nucleusGeometry=nucleus)]).shapes
    assert shape.geometry.area == 4


def test_children_follow_their_parent(tmp_path):
    parent = feature(classification="Tumor")
    parent["properties"]["childObjects"] = [feature(classification="Stroma")]
    assert [shape.class_name for shape in read(tmp_path, [parent]).shapes] == ["Tumor", "Stroma"]


def test_only_the_first_plane_is_taken(tmp_path):
    planes = [feature() for _ in range(3)]
    planes[0]["geometry"]["plane"] = {"c": -1, "z": 0, "t": 0}
    planes[1]["geometry"]["plane"] = {"c": -1, "z": 2, "t": 0}
    planes[2]["geometry"]["isEllipse"] = True
    drawing = read(tmp_path, planes)
    assert (len(drawing.shapes), drawing.counts["shapes_of_other_planes"]) == (2, 1)


def test_crossing_rings_are_mended_and_counted(tmp_path):
    bow = [[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]  # two triangles of 25 that meet in (5, 5)
    drawing = read(tmp_path, [feature([bow]), feature()])
    assert drawing.shapes[0].geometry.is_valid
    assert drawing.shapes[0].geometry.area == 50
    assert drawing.counts["repaired_shapes"] == 1


@pytest.mark.parametrize(
    "empty", [[], [[]], [[[1, 1], [2, 2]]], [[[1, 1], [2, 2], [1, 1]]], [[[1, 1], [2, 2], [3, 3]]]]
)
def test_polygons_without_area_are_counted(tmp_path, empty):
    drawing = read(tmp_path, [feature(empty), {"type": "Feature", "geometry": None}])
    assert drawing.shapes == ()
    assert drawing.counts["empty_shapes"] == 2


def test_an_open_ring_is_closed(tmp_path):
    assert read(tmp_path, [feature([SQUARE[:-1]])]).shapes[0].geometry.area == 50


def test_lines_and_points_keep_their_kind(tmp_path):
    values = [
        feature([[0, 0], [3, 4]], kind="LineString"),
        feature([1, 2], kind="Point"),
        feature([[1, 2], [3, 4]], kind="MultiPoint"),
    ]
    line, point, points = (shape.geometry for shape in read(tmp_path, values).shapes)
    assert line.length == 5
    assert (len(point.geoms), len(points.geoms)) == (1, 2)


BAD = {
    b"": "is empty",
    b"   \n": "is empty",
    b"<html>": "starts with b'<'",
    b'{"type": "FeatureCollection", "features": [': "premature EOF",
    b'{"type": "Feature", "geometry": {"type": "Point", "coordinates": [NaN, 1]}}': "invalid char",
    b'[{"type": "Feature"}]{': "trailing garbage",
    b"[1, 2]": "object 1 is a int; expected a Feature",
    b'{"name": "Tumor"}': "object 1 is a type None; expected a Feature",
    b'[{"type": "Feature", "geometry": 3}]': "geometry '3'; expected Polygon",
    b'[{"type": "Feature", "properties": [3], "geometry": null}]': "properties are no object",
    b'[{"type": "Polygon", "coordinates": [[["1", "2"], ["3", "4"], ["5", "6"]]]}]': "object 1: Polygon with bad",
    b'[{"type": "Polygon", "coordinates": [[[1, 2], [3], [5, 6]]]}]': "bad coordinates",
    b'[{"type": "Polygon", "coordinates": [[[1, 2], [3, 1e12], [5, 6]]]}]': "beyond 10000000 pixels",
    b'[{"type": "Polygon", "coordinates": [[["NaN", 2], [3, 4], [5, 6]]]}]': "bad coordinates",
    b'[{"type": "Polygon", "coordinates": 5}]': "bad coordinates",
    b'[{"type": "Polygon", "coordinates": [[[1, 2], [3, 1e400], [5, 6]]]}]': "overflow",
    b"[" * 100_000: "brackets nest",
    b"[" + b"[" * 200 + b"]" * 200 + b"]": "brackets nest 201 deep",
    b'["\\"", "[[[[' + b"[" * 100 + b'"' + b"[" * 70: "brackets nest 71 deep",
    gzip.compress(json.dumps([feature()] * 500).encode())[:-20]: "ended before the end-of-stream",
    b"\x1f\x8b" + b"\0" * 40: "cannot be read as JSON",
}


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_bad_files_are_refused_with_name_and_reason(tmp_path, content):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert str(tmp_path / "a.geojson") in message
    assert BAD[content] in message
    assert len(message.splitlines()) == 1


def test_brackets_in_names_do_not_nest(tmp_path):
    names = [feature(classification='[[[\\"{{' * 40) for _ in range(5)]
    assert len(read(tmp_path, names).shapes) == 5


def test_number_of_objects_is_limited_by_a_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOLOOM_LIMITS", "geojson_objects=3")
    assert len(read(tmp_path, [feature()] * 3).shapes) == 3
    with pytest.raises(InputError, match=r"more than 3 objects; .* raise limits.geojson_objects"):
        read(tmp_path, [feature()] * 4)


def test_an_object_of_endless_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOLOOM_LIMITS", "text_mib=1")
    bomb = b'[{"type": "' + b"a" * 2**22
    with pytest.raises(InputError, match="one object takes more than 1 MiB"):
        read(tmp_path, gzip.compress(bomb))


def test_many_objects_are_together_longer_than_one_may_be(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOLOOM_LIMITS", "text_mib=1")
    assert len(json.dumps([feature()] * 10_000)) > 1.2 * 2**20
    assert len(read(tmp_path, [feature()] * 10_000).shapes) == 10_000


def test_painted_pixels_are_those_whose_centre_lies_in_the_polygon():
    rng = np.random.default_rng(0)
    rows, columns = np.indices((40, 50)) + 0.5
    for _ in range(20):
        polygon = shapely.MultiPoint(rng.uniform(-10, 60, (8, 2))).convex_hull
        assert (painted(polygon, 50, 40) == shapely.contains_xy(polygon, columns, rows)).all()


def test_holes_stay_as_they_were_and_later_shapes_lie_on_top():
    ring = shapely.box(1, 1, 9, 9).difference(shapely.box(3, 3, 6, 6))
    canvas = paint([shapely.box(0, 0, 4, 10), ring], [7, 8], column=0, row=0, width=10, height=10, fill=255)
    assert {value: int((canvas == value).sum()) for value in (7, 8, 255)} == {7: 40 - 24 + 3, 8: 64 - 9, 255: 26}
    assert canvas[4, 3] == 7  # column 3 lies in the hole, over the first shape
    assert canvas[4, 5] == 255


def test_painted_area_approaches_the_polygons():
    star = shapely.Point(100, 100).buffer(80).difference(shapely.box(90, 90, 120, 150))
    assert painted(star, 200, 200).sum() == pytest.approx(star.area, rel=0.01)


def test_a_window_shows_its_part_of_the_whole(monkeypatch):
    rng = np.random.default_rng(1)
    shapes = [shapely.Point(rng.uniform(0, 400, 2)).buffer(rng.uniform(5, 90)) for _ in range(30)]
    whole = paint(shapes, range(1, 31), column=0, row=0, width=100, height=100, downsample=4)
    for vertices in (10, 10_000):  # cut to the window, and not
        monkeypatch.setattr("histoloom.formats.shapes.CLIPPED_VERTICES", vertices)
        part = paint(shapes, range(1, 31), column=30, row=50, width=40, height=20, downsample=4)
        assert (part == whole[50:70, 30:70]).all()


def test_downsample_takes_the_centre_of_the_larger_pixel():
    # Centres lie at 2, 6, 10, ... : from 1 to 9 there are two of them.
    assert paint([shapely.box(1, 1, 9, 5)], [1], column=0, row=0, width=4, height=4, downsample=4).sum() == 2


def test_shapes_beyond_the_window_paint_nothing():
    assert painted(shapely.box(-50, -50, -1, -1)).sum() == 0
    assert painted(shapely.box(-50, -50, 500, 500)).sum() == 400
    assert paint([], [], column=0, row=0, width=3, height=2, fill=9).tolist() == [[9] * 3] * 2


def test_many_values_are_painted_exactly():
    boxes = [shapely.box(column, row, column + 1, row + 1) for row in range(300) for column in range(300)]
    canvas = paint(boxes, range(1, len(boxes) + 1), column=0, row=0, width=300, height=300)
    assert (canvas.ravel() == np.arange(1, 90_001)).all()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
numbers = st.integers(-50, 50) | st.floats(-1e8, 1e8) | st.sampled_from(["NaN", None, True])
coordinates = st.recursive(numbers, lambda inner: st.lists(inner, max_size=5), max_leaves=30)
geometries = st.fixed_dictionaries(
    {"type": st.sampled_from(["Polygon", "MultiPolygon", "LineString", "Point", "MultiPoint", "Circle"])},
    optional={"coordinates": coordinates, "plane": json_values, "isEllipse": st.booleans()},
)
features = st.fixed_dictionaries(
    {"type": st.just("Feature") | json_values, "geometry": geometries | json_values},
    optional={
        "id": json_values,
        "nucleusGeometry": geometries,
        "properties": json_values
        | st.fixed_dictionaries({}, optional={"classification": json_values, "objectType": json_values}),
    },
)
files = (
    st.binary(max_size=200)
    | st.binary(max_size=60).map(gzip.compress)
    | (st.lists(features, max_size=3) | features | json_values).map(lambda value: json.dumps(value).encode())
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=files)
def test_any_bytes_give_a_drawing_or_an_input_error(tmp_path, content):
    try:
        drawing = read(tmp_path, content)
    except InputError as error:
        assert len(str(error).splitlines()) <= 4
        return
    for shape in drawing.shapes:
        assert not shape.geometry.is_empty
        assert np.isfinite(shapely.get_coordinates(shape.geometry)).all()
        paint([shape.geometry], [1], column=0, row=0, width=5, height=5)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_real_layout_with_changed_bytes_gives_a_drawing_or_an_input_error(tmp_path, data):
    content = bytearray(json.dumps(LAYOUTS["collection"](feature(classification={"name": "Tumor"}))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert len(read(tmp_path, bytes(content)).shapes) <= 1
    except InputError as error:
        assert str(tmp_path) in str(error)
