import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from rasterio.transform import Affine

from histoloom.formats.geojson import write_features
from histoloom.formats.shapes import paint, read_shapes
from histoloom.slides.band_store import BAND_PX, BandStore
from histoloom.slides.export.qupath_objects import region_features
from histoloom.slides.export.regions_vectors import regions_of
from tests.slides.made_results import NAMES, blobs, origin, stored

CASES = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def regions_written(path: Path, store: BandStore, factor: float = 2.0, tolerance_px: float = 0.0) -> Path:
    whose = origin((store.grid.height, store.grid.width), factor)
    write_features(path, {}, region_features(regions_of(store), whose, tolerance_px))
    return path


def painted(path: Path, shape: tuple[int, int], factor: float) -> np.ndarray:
    pairs = [(each.geometry, NAMES.index(each.class_name)) for each in read_shapes(path).shapes]
    if not pairs:
        return np.zeros(shape, np.uint8)
    return rasterize(pairs, out_shape=shape, transform=Affine.scale(factor), dtype="uint8")


def iou(one: np.ndarray, other: np.ndarray, index: int) -> float:
    return np.count_nonzero((one == index) & (other == index)) / np.count_nonzero((one == index) | (other == index))


@pytest.mark.parametrize("seed", range(3))
def test_regions_painted_again_give_the_class_map_and_the_same_file(tmp_path, seed):
    classes = blobs(BAND_PX + 90, 300, seed)
    first = regions_written(tmp_path / "first.geojson.gz", stored(tmp_path / "classes", classes))
    shapes = read_shapes(first).shapes
    values = [NAMES.index(each.class_name) for each in shapes]
    again = paint([each.geometry for each in shapes], values, column=0, row=0, width=300, height=602, downsample=2)
    assert (again == classes).all()
    assert {index: iou(classes, again, index) for index in (1, 2, 3)} == {1: 1, 2: 1, 3: 1}
    second = regions_written(tmp_path / "second.geojson.gz", stored(tmp_path / "again", again.astype(np.uint8)))
    assert first.read_bytes() == second.read_bytes()


@CASES
@given(data=st.data())
def test_regions_of_any_noise_and_scale_are_exact_and_valid(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("noise")
    shape = data.draw(st.tuples(st.sampled_from([1, 2, 17, BAND_PX + 3]), st.integers(1, 23)))
    factor = data.draw(st.sampled_from([1.0, 2.0, 0.5, 1.9786, 3.0303]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    classes = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), shape, p=rng.dirichlet(np.ones(5)))
    path = regions_written(folder / "a.geojson", stored(folder / "classes", classes), factor)
    assert (painted(path, shape, factor) == np.where(classes == 255, 0, classes)).all()
    for each in json.loads(path.read_bytes())["features"]:
        rings = each["geometry"]["coordinates"]
        assert all(ring[0] == ring[-1] for ring in rings)
        assert shapely.Polygon(rings[0], rings[1:]).is_valid  # before read_shapes mends anything


def test_a_region_is_what_shares_edges_and_has_its_area(tmp_path):
    classes = np.zeros((BAND_PX + 40, 60), np.uint8)
    classes[500:540, 10:30] = 1  # across a border of bands
    classes[510:520, 15:20] = 0
    classes[540:545, 30:35] = 1  # touches at a corner only
    found = [
        (each.class_index, each.area_px, len(each.outline.vertex_start) - 1)
        for each in regions_of(stored(tmp_path / "classes", classes))
    ]
    assert found == [(1, 40 * 20 - 50, 2), (1, 25, 1)]


def test_region_areas_are_in_square_micrometres_before_simplification(tmp_path):
    classes = np.zeros((100, 100), np.uint8)
    cv2.circle(classes, (50, 50), 30, 1, -1)
    store = stored(tmp_path / "classes", classes)
    pixels = int(classes.sum())
    for tolerance in (0.0, 3.0):
        path = regions_written(tmp_path / "a.geojson", store, tolerance_px=tolerance)
        (properties,) = (each["properties"] for each in json.loads(path.read_bytes())["features"])
        assert properties["measurements"] == {"Region area µm^2": pixels * 0.25}


@pytest.mark.parametrize("tolerance_px", [0.75, 1.0])
def test_simplified_regions_overlap_nearly_all_of_the_exact_ones_and_are_valid(tmp_path, tolerance_px):
    classes = blobs(700, 700, smooth_px=20)
    store = stored(tmp_path / "classes", classes)
    exact = regions_written(tmp_path / "exact.geojson", store)
    simple = regions_written(tmp_path / "simple.geojson", store, tolerance_px=tolerance_px)
    drawing = read_shapes(simple)
    assert drawing.counts["repaired_shapes"] == 0
    again = painted(simple, classes.shape, 2.0)
    assert min(iou(classes, again, index) for index in (1, 2, 3)) > 0.98
    assert simple.stat().st_size < 0.5 * exact.stat().st_size
    for one, other in zip(read_shapes(exact).shapes, drawing.shapes, strict=True):
        assert shapely.hausdorff_distance(one.geometry, other.geometry) <= 2 * tolerance_px + 0.02
