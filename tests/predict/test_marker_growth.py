"""Markers divide up the foreground as a minimum spanning forest does, and a part of an image as the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import watershed

from histoloom.predict.marker_growth import grow_markers
from tests.predict.discs import noise_patches

seeds, shares = st.integers(0, 10**6), st.floats(0.1, 0.9)


def grown(depth, markers, mask=None):
    """Of rows of numbers."""
    depth = np.array(depth, np.float32)
    mask = depth > 0 if mask is None else mask
    return grow_markers(np.array(markers, np.int32), depth, mask)


def spanning_forest(depth, markers, mask):
    """By definition: edges of neighbours, the deepest first, join what is not yet two markers (Kruskal's algorithm).

    The depth of an edge is that of its shallower pixel, of equal ones that of the other.
    """
    height, width = depth.shape
    root = {(row, column): (row, column) for row, column in np.argwhere(mask).tolist()}

    def find(pixel):
        while root[pixel] != pixel:
            pixel = root[pixel]
        return pixel

    def join(one, other):
        one, other = find(one), find(other)
        keeps = one if markers[one] else other
        root[one] = root[other] = keeps

    for number in range(1, markers.max() + 1):
        first, *others = map(tuple, np.argwhere(markers == number).tolist())
        for other in others:
            join(first, other)
    edges = [
        (pixel, (pixel[0] + down, pixel[1] + right))
        for pixel in root
        for down, right in ((0, 1), (1, 0))
        if (pixel[0] + down, pixel[1] + right) in root
    ]
    for one, other in sorted(edges, key=lambda edge: sorted(depth[pixel] for pixel in edge), reverse=True):
        if find(one) != find(other) and not (markers[find(one)] and markers[find(other)]):
            join(one, other)
    tree = {pixel: find(pixel) for pixel in root}
    found = np.zeros((height, width), int)
    for pixel, end in tree.items():
        found[pixel] = markers[end] or markers.max() + 1 + end[0] * width + end[1]
    return found


def same_nuclei(one, other):
    """Whether two maps hold the same nuclei, whatever their ids."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


@given(seed=seeds, share=shares, least=st.floats(0.5, 0.999))
@settings(max_examples=25, deadline=None)
def test_markers_grow_to_the_minimum_spanning_forest(seed, share, least):
    mask = noise_patches(seed, share)
    # All different, so that there is one such forest.
    depth = np.random.default_rng(seed).permutation(mask.size).reshape(mask.shape).astype(np.float32) + 1
    markers = ndimage.label(mask & (depth > least * mask.size))[0].astype(np.int32)
    nuclei = grow_markers(markers, depth, mask)
    assert np.array_equal(np.unique(nuclei[mask]), np.arange(1, nuclei.max() + 1))
    assert np.array_equal(nuclei[markers > 0], markers[markers > 0])
    assert same_nuclei(nuclei, spanning_forest(depth, markers, mask))


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_flooding_differs_at_few_ridges_only(kind):
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((300, 300)), 4)
    depth = np.rint(60_000 * (noise - noise.min()) / np.ptp(noise) + 1).astype(kind)
    mask = noise > np.quantile(noise, 0.3)
    markers = ndimage.label(noise > np.quantile(noise, 0.9))[0].astype(np.int32)
    flooded = watershed(-depth.astype(float), markers, mask=mask)
    nuclei = grow_markers(markers, depth, mask)
    is_reached = flooded > 0
    assert markers.max() > 20
    assert (flooded != nuclei)[is_reached].mean() < 0.002


def test_a_hollow_without_marker_overflows_as_a_whole_over_its_deepest_pass():
    # The hollow of depth 7 has passes of depth 3 on the left and 5 on the right.
    assert grown([[9, 3, 6, 7, 5, 9]], [[1, 0, 0, 0, 0, 2]]).tolist() == [[1, 1, 2, 2, 2, 2]]


def test_a_hollow_overflows_through_others():
    # 7 runs over 5 into 8, which runs over 4 to the right; over 2 it would come to the left.
    assert grown([[9, 2, 7, 5, 8, 4, 9]], [[1, 0, 0, 0, 0, 0, 2]]).tolist() == [[1, 1, 2, 2, 2, 2, 2]]


def test_level_ground_is_left_by_the_shortest_way():
    # From the fifth of nine both ends are equally far: it goes to the left.
    level = [[4] * 9]
    assert grown(level, [[1, 0, 0, 0, 0, 0, 0, 0, 2]]).tolist() == [[1, 1, 1, 1, 1, 2, 2, 2, 2]]
    # A way down counts as a way out, although the marker is further away.
    slope = [[4, 4, 4, 4, 4, 4, 5, 6, 7]]
    assert grown(slope, [[1, 0, 0, 0, 0, 0, 0, 0, 2]]).tolist() == [[1, 1, 1, 2, 2, 2, 2, 2, 2]]


@pytest.mark.parametrize("first", range(4))
def test_of_equally_deep_neighbours_the_upper_comes_first_then_left_then_right(first):
    depth, markers = np.zeros((2, 3, 3), int)
    depth[1, 1] = 4
    for number, place in enumerate([(0, 1), (1, 0), (1, 2), (2, 1)][first:], start=1):
        depth[place], markers[place] = 5, number
    assert grown(depth, markers)[1, 1] == 1


def test_patches_without_marker_are_nuclei_after_the_others_in_reading_order():
    depth = [[5, 6, 0, 3], [0, 0, 0, 4], [7, 0, 9, 0], [2, 0, 0, 1]]
    markers = np.zeros((4, 4), int)
    markers[2, 0] = 1
    assert grown(depth, markers).tolist() == [[2, 2, 0, 3], [0, 0, 0, 3], [1, 0, 4, 0], [1, 0, 0, 5]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 6)])
def test_empty_masks_have_no_nuclei(shape):
    assert not grown(np.zeros(shape), np.zeros(shape, int)).any()
    assert (grown(np.ones(shape), np.zeros(shape, int)) == 1).all()


@given(seed=seeds, levels=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_a_part_has_the_nuclei_of_the_whole(seed, levels):
    # Patches that the cut does not touch, in a landscape full of equal depths.
    rng = np.random.default_rng(seed)
    mask = noise_patches(seed, 0.5)
    depth = rng.integers(1, levels + 1, mask.shape).astype(np.uint16)
    markers = ndimage.label(mask & (rng.random(mask.shape) < 0.05))[0].astype(np.int32)
    patches = ndimage.label(mask)[0]
    inside = np.s_[7:33, 9:44]
    outside = np.ones(mask.shape, bool)
    outside[inside] = False
    kept = mask & ~np.isin(patches, patches[outside])
    part_markers = (
        np.unique(np.where(kept, markers, 0)[inside], return_inverse=True)[1].reshape(26, 35).astype(np.int32)
    )
    part = grow_markers(part_markers, depth[inside], kept[inside])
    assert same_nuclei(part, np.where(kept, grow_markers(markers, depth, mask), 0)[inside])
