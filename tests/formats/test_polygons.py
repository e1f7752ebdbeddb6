"""Outlines follow pixel edges exactly, holes and touching corners included, and stay valid when simplified."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize, shapes
from scipy import ndimage

from histoloom.formats.polygons import label_polygons, polygons, simplified


def labels_of(*rows):
    return np.array([[int(sign) for sign in row.replace(".", "0")] for row in rows], np.int32)


def rings_of(labels):
    """Rings as lists of (x, y), by label, with whether each is a hole."""
    rings = label_polygons(labels)
    parts = np.split(rings.vertices, rings.start[1:-1])
    return [
        (int(label), bool(is_hole), [tuple(map(int, vertex)) for vertex in part])
        for label, is_hole, part in zip(rings.label, rings.is_hole, parts, strict=True)
    ]


def blobs(seed, sigma, levels):
    """Labels as smooth patches that touch, with islands and holes; several patches may have one label."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((34, 41)), sigma)
    return np.digitize(noise, np.quantile(noise, np.linspace(0, 1, levels + 2)[1:-1])).astype(np.int32)


def by_rasterio(labels):
    """GDAL's polygons of pixels joined by edges: an implementation that has nothing in common with ours."""
    found = shapes(labels, mask=labels > 0, connectivity=4)
    return sorted((int(value), shapely.normalize(shapely.geometry.shape(shape)).wkt) for shape, value in found)


def test_one_pixel_is_a_unit_square_clockwise_on_the_screen():
    assert rings_of(labels_of("...", "..1")) == [(1, False, [(2, 1), (3, 1), (3, 2), (2, 2)])]


def test_straight_edges_have_no_vertices_between_their_ends():
    assert rings_of(labels_of("2222")) == [(2, False, [(0, 0), (4, 0), (4, 1), (0, 1)])]


def test_touching_labels_share_their_edge():
    assert rings_of(labels_of("12")) == [
        (1, False, [(0, 0), (1, 0), (1, 1), (0, 1)]),
        (2, False, [(1, 0), (2, 0), (2, 1), (1, 1)]),
    ]


def test_a_hole_runs_the_other_way_and_follows_its_exterior():
    assert rings_of(labels_of("333", "3.3", "333")) == [
        (3, False, [(0, 0), (3, 0), (3, 3), (0, 3)]),
        (3, True, [(2, 1), (1, 1), (1, 2), (2, 2)]),
    ]


def test_pixels_that_meet_at_a_corner_are_two_polygons():
    assert rings_of(labels_of("1.", ".1")) == [
        (1, False, [(0, 0), (1, 0), (1, 1), (0, 1)]),
        (1, False, [(1, 1), (2, 1), (2, 2), (1, 2)]),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        ("111", "1.1", "11."),  # closes at a corner only, from upper right to lower left
        ("111", "1.1", ".11"),  # and the other way
        ("11111", "1.1.1", "11.11", "1.1.1", "11111"),  # four holes that meet at corners
    ],
)
def test_a_label_that_touches_itself_at_a_corner_is_valid_and_encloses_holes(rows):
    labels = labels_of(*rows)
    (found,) = polygons(label_polygons(labels))
    assert shapely.is_valid(found), shapely.is_valid_reason(found)
    assert found.area == (labels == 1).sum()
    assert by_rasterio(labels) == [(1, shapely.normalize(found).wkt)]


def test_an_island_in_a_hole_is_a_part_of_its_own_and_each_part_has_its_holes():
    labels = labels_of("1111111", "1.....1", "1.111.1", "1.1.1.1", "1.111.1", "1.....1", "1111111")
    outer, inner = polygons(label_polygons(labels))
    assert (outer.area, inner.area) == (24, 8)
    assert [len(each.interiors) for each in (outer, inner)] == [1, 1]


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (5, 1)])
def test_no_labels_give_no_rings(shape):
    rings = label_polygons(np.zeros(shape, np.int32))
    assert len(rings.label) == len(polygons(rings)) == len(simplified(rings, 1.0).vertices) == 0
    assert rings.start.tolist() == [0]


@given(seed=st.integers(0, 10**6), sigma=st.sampled_from([0.0, 0.6, 1.5, 3.0]), levels=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_polygons_are_those_of_gdal_and_painting_them_gives_back_the_labels(seed, sigma, levels):
    labels = blobs(seed, sigma, levels)
    rings = label_polygons(labels)
    found, label = polygons(rings), rings.label[~rings.is_hole]
    assert shapely.is_valid(found).all()
    assert sorted(zip(label.tolist(), shapely.to_wkt(shapely.normalize(found)), strict=True)) == sorted(
        (value, shapely.to_wkt(shapely.from_wkt(wkt))) for value, wkt in by_rasterio(labels)
    )
    painted = rasterize(zip(found, label.tolist(), strict=True), out_shape=labels.shape, fill=0, dtype=np.int32)
    assert np.array_equal(painted, labels)


def test_exteriors_are_clockwise_and_holes_not_whatever_the_shape():
    rings = label_polygons(blobs(5, 0.6, 3))
    assert rings.is_hole.any()
    for is_hole, ring in zip(rings.is_hole, np.split(rings.vertices, rings.start[1:-1]), strict=True):
        (x, y), (next_x, next_y) = ring.T, np.roll(ring, -1, axis=0).T
        assert (x * next_y - next_x * y).sum() > 0 or is_hole  # y runs down, so clockwise is positive
        assert (x * next_y - next_x * y).sum() < 0 or not is_hole
        assert (((x == next_x) + (y == next_y)) == 1).all()


def test_many_labels_on_a_wide_image_do_not_overflow():
    # 120,000 labels times 3e6 places need 64 bits.
    labels = np.zeros((8, 360_000), np.int32)
    labels[4, ::3] = np.arange(1, 120_001)
    rings = label_polygons(labels)
    assert rings.label.tolist() == list(range(1, 120_001))
    assert np.array_equal(rings.vertices[::4], np.stack([np.arange(0, 360_000, 3), np.full(120_000, 4)], axis=1))


def test_a_long_winding_outline_is_one_ring():
    comb = np.zeros((41, 4001), np.int32)
    comb[0], comb[:, ::2] = 1, 1
    rings = label_polygons(comb)
    assert rings.start.tolist() == [0, 4 * 2001]
    assert polygons(rings)[0].area == comb.sum()


@given(seed=st.integers(0, 10**6), tolerance=st.sampled_from([0.5, 1.0, 2.5]))
@settings(max_examples=20, deadline=None)
def test_simplified_polygons_are_valid_and_nowhere_further_than_the_tolerance(seed, tolerance):
    rings = label_polygons(blobs(seed, 1.5, 3))
    simple = simplified(rings, tolerance)
    exact, found = polygons(rings), polygons(simple)
    assert shapely.is_valid(found).all()
    assert np.array_equal(simple.is_hole, rings.is_hole)
    assert len(simple.vertices) < len(rings.vertices)
    assert (shapely.hausdorff_distance(shapely.boundary(exact), shapely.boundary(found)) <= tolerance + 1e-9).all()
    assert set(map(tuple, simple.vertices.tolist())) <= set(map(tuple, rings.vertices.tolist()))


def test_a_staircase_becomes_a_line_at_the_tolerance_of_its_steps():
    # All its corners lie sqrt(0.5) = 0.707 from the diagonal.
    stairs = label_polygons(np.tri(6, dtype=np.int32))
    assert len(stairs.vertices) == 14
    assert len(simplified(stairs, 0.44).vertices) == 14
    assert len(simplified(stairs, 0.70).vertices) > 3
    assert simplified(stairs, 0.71).vertices.tolist() == [[0, 0], [6, 6], [0, 6]]


def test_what_would_vanish_at_the_tolerance_stays():
    labels = np.zeros((12, 12), np.int32)
    labels[5, 5], labels[1:9, 1:4], labels[3, 2] = 1, 2, 0
    simple = simplified(label_polygons(labels), 3.0)
    assert simple.label.tolist() == [1, 2, 2]
    assert shapely.is_valid(polygons(simple)).all()
