"""Augmented tiles: exact where they can be, aligned with their labels everywhere, repeatable always."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.mirroring import COPY
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.augmentation.tiles import augmented_tile, plain_tile, sample_rng
from histoloom.train.data.instance_maps import instance_maps
from tests.train.data.augmentation.pictures import (
    COLOURS,
    FULL,
    NONE,
    WARP,
    blob_image,
    ids_image,
    noise_image,
    places_image,
)


def far_from_edges(mask):
    """Linear and nearest differ within two pixels of an edge only; the tile's own border may hide one."""
    alike = cv2.erode(mask, np.ones((5, 5))) == cv2.dilate(mask, np.ones((5, 5)))
    alike[:2] = alike[-2:] = alike[:, :2] = alike[:, -2:] = False
    return alike


def test_no_augmentation_gives_the_crop():
    image, mask = noise_image()
    tile, (truth, ids) = augmented_tile(image, (mask, ids_image()), 10, 20, 64, NONE, sample_rng(0, 0, 0))
    np.testing.assert_array_equal(tile, image[10:74, 20:84])
    np.testing.assert_array_equal(truth, mask[10:74, 20:84])
    np.testing.assert_array_equal(ids, ids_image()[10:74, 20:84])


def test_a_tile_is_a_copy_and_not_a_view():
    image, mask = noise_image()
    for turn in (NONE, replace(NONE, flip=True, right_angle=True)):
        tile, (truth,) = augmented_tile(image, (mask,), 0, 0, 64, turn, sample_rng(0, 0, 0))
        assert not np.shares_memory(tile, image)
        assert not np.shares_memory(truth, mask)
    tile, (truth,) = plain_tile(image, (mask,), 0, 0, 64)
    assert not np.shares_memory(tile, image)
    assert not np.shares_memory(truth, mask)


@pytest.mark.parametrize(("row", "column", "tile_px"), [(-5, 100, 64), (90, -8, 64), (0, 0, 200), (-130, 160, 400)])
def test_beyond_the_edge_tissue_is_mirrored(row, column, tile_px):
    image, mask = noise_image()
    ids = np.arange(1, mask.size + 1, dtype=np.int32).reshape(mask.shape)
    margin = 700  # np.pad is the oracle
    widened = [
        np.pad(each, [(margin, margin), (margin, margin), (0, 0)][: each.ndim], mode="reflect")
        for each in (image, mask, ids)
    ]
    part = (slice(row + margin, row + margin + tile_px), slice(column + margin, column + margin + tile_px))
    tile, (truth, nuclei) = plain_tile(image, (mask, ids), row, column, tile_px)
    # Copies of nuclei have ids of their own, which still say of what they are copies.
    for found, whole in zip((tile, truth, nuclei % COPY), widened, strict=True):
        np.testing.assert_array_equal(found, whole[part])


def test_flips_and_right_angles_are_the_eight_exact_ones():
    image, mask = noise_image()
    arrays = [each[10:74, 20:84] for each in (image, mask, ids_image())]
    turned = [[np.rot90(np.fliplr(each) if flip else each, k) for each in arrays] for flip in (0, 1) for k in range(4)]
    turns = replace(NONE, flip=True, right_angle=True)
    seen = set()
    for sample in range(60):
        tile, labels = augmented_tile(image, (mask, ids_image()), 10, 20, 64, turns, sample_rng(1, 0, sample))
        (which,) = [number for number, others in enumerate(turned) if np.array_equal(tile, others[0])]
        for found, expected in zip(labels, turned[which][1:], strict=True):
            np.testing.assert_array_equal(found, expected)
            assert found.flags.c_contiguous
        seen.add(which)
    assert seen == set(range(8))


def test_flips_alone_never_turn():
    image, _ = noise_image()
    crop = image[:64, :64]
    allowed = (crop, crop[::-1], crop[:, ::-1], crop[::-1, ::-1])
    for sample in range(20):
        tile, _ = augmented_tile(image, (), 0, 0, 64, replace(NONE, flip=True), sample_rng(0, 0, sample))
        assert any(np.array_equal(tile, other) for other in allowed)


def test_the_exact_turn_and_the_turn_by_map_agree():
    image, mask = noise_image()
    labels = (mask, ids_image())
    turns = replace(NONE, flip=True, right_angle=True)
    by_map = replace(turns, shift_px=1e-9)  # too little to change a pixel, enough to take the map
    for sample in range(12):
        exact = augmented_tile(image, labels, 10, 20, 64, turns, sample_rng(2, 0, sample))
        mapped = augmented_tile(image, labels, 10, 20, 64, by_map, sample_rng(2, 0, sample))
        for one, other in zip((exact[0], *exact[1]), (mapped[0], *mapped[1]), strict=True):
            np.testing.assert_array_equal(one, other)


def test_image_and_mask_stay_aligned():
    image, mask = blob_image()
    for sample in range(10):
        tile, (truth,) = augmented_tile(image, (mask,), 30, 30, 128, WARP, sample_rng(3, 0, sample))
        inside = far_from_edges(truth)
        assert inside.mean() > 0.6
        np.testing.assert_array_equal(tile[inside, 0], truth[inside] * 50)


def test_a_wrong_mask_would_be_noticed():
    image, mask = blob_image()
    tile, (truth,) = augmented_tile(image, (np.roll(mask, 5, axis=1),), 30, 30, 128, WARP, sample_rng(3, 0, 0))
    inside = far_from_edges(truth)
    assert (tile[inside, 0] != truth[inside] * 50).any()


def test_nuclei_are_warped_exactly_as_the_mask_is():
    image, mask = noise_image(500, 500)  # unrelated neighbours: a look-up of another pixel would show
    names = np.array([0, 70_001, 2**24 + 1, 2**31 - 1], np.int32)  # beyond 16 bits, beyond float32, the largest
    ids = names[np.searchsorted([0, 1, 3, 255], mask)]
    for sample in range(10):
        _, (truth, found) = augmented_tile(image, (mask, ids), 200, 200, 96, FULL, sample_rng(5, 0, sample))
        assert found.dtype == np.int32
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, names[np.searchsorted([0, 1, 3, 255], truth)])
        assert len(np.unique(found)) == 4


def test_every_id_of_a_tile_is_one_of_the_image():
    image, mask = noise_image(500, 500)
    names = ids_image(*mask.shape)
    for sample in range(5):
        _, (ids,) = augmented_tile(image, (names,), 200, 200, 96, WARP, sample_rng(0, 0, sample))
        assert np.isin(ids, names).all()
        assert len(np.unique(ids)) > 1000


def test_a_tile_may_have_no_labels():
    image, _ = noise_image()
    tile, labels = augmented_tile(image, (), 10, 20, 64, FULL, sample_rng(0, 0, 0))
    assert tile.shape == (64, 64, 3)
    assert labels == ()


def test_unannotated_stays_unannotated():
    image, _ = noise_image()
    mask = np.full(image.shape[:2], 255, np.uint8)
    _, (truth,) = augmented_tile(image, (mask,), 0, 0, 96, FULL, sample_rng(0, 0, 0))
    assert (truth == 255).all()


def test_same_numbers_same_bytes():
    image, mask = noise_image()
    first, again, other = (
        augmented_tile(image, (mask,), 5, 5, 96, FULL, sample_rng(*key)) for key in ((1, 2, 3), (1, 2, 3), (1, 3, 3))
    )
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1][0].tobytes() == again[1][0].tobytes()
    assert first[0].tobytes() != other[0].tobytes()


def test_the_three_seeds_are_not_interchangeable():
    draws = {sample_rng(*key).integers(2**62) for key in ((0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1), (0, 0, 257))}
    assert len(draws) == 5


@pytest.mark.parametrize("name", sorted(WARP.active))
def test_one_distortion_less_leaves_the_colours_that_were_drawn(name):
    """A tile of one grey shows colours alone, so they must be the same to the byte, noise included."""
    grey = np.full((150, 150, 3), 120, np.uint8)
    with_all = augmented_tile(grey, (), 20, 20, 64, FULL, sample_rng(4, 0, 0))[0]
    changed = replace(FULL, **{name: getattr(FULL, name) * 2 if name.endswith("_px") else type(getattr(FULL, name))(0)})
    without = augmented_tile(grey, (), 20, 20, 64, changed, sample_rng(4, 0, 0))[0]
    np.testing.assert_array_equal(without, with_all)


@pytest.mark.parametrize("name", sorted(COLOURS.active))
def test_one_colour_less_leaves_the_warp_that_was_drawn(name):
    image, mask = noise_image()
    labels = (mask, ids_image())
    expected = augmented_tile(image, labels, 10, 20, 64, FULL, sample_rng(4, 0, 0))[1]
    changed = replace(FULL, **{name: type(getattr(FULL, name))(0)})
    truths = augmented_tile(image, labels, 10, 20, 64, changed, sample_rng(4, 0, 0))[1]
    for found, before in zip(truths, expected, strict=True):
        np.testing.assert_array_equal(found, before)


def test_the_tile_and_not_the_image_is_turned():
    """A rotated tile shows its real surroundings: no mirrored tissue where the image goes on."""
    size = 300
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    image = np.dstack([columns // 2, rows // 2, rows * 0]).astype(np.uint8)  # says where it is, in steps of 2 px
    tile, _ = augmented_tile(image, (), 118, 118, 64, replace(NONE, rotation_deg=45.0), sample_rng(0, 0, 5))
    angle = np.deg2rad(45 * sample_rng(0, 0, 5).uniform(-1, 1, 12)[3])
    offset = np.array([-31.5, -31.5])
    x, y = 149.5 + np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ offset
    assert abs(angle) > 0.2
    assert tile[0, 0, :2].astype(float) * 2 == pytest.approx([x, y], abs=2)


def test_zoom_is_centred_and_magnifies():
    image, mask = np.zeros((400, 400, 3), np.uint8), np.zeros((400, 400), np.uint8)
    cv2.circle(mask, (200, 200), 10, 1, -1)
    areas = []
    for sample in range(40):
        _, (truth,) = augmented_tile(image, (mask,), 136, 136, 129, replace(NONE, scale=1.0), sample_rng(0, 0, sample))
        assert truth[64, 64] == 1
        zoom = 2.0 ** sample_rng(0, 0, sample).uniform(-1, 1, 12)[4]
        assert truth.sum() == pytest.approx(mask.sum() * zoom**2, rel=0.12)
        areas.append(truth.sum())
    assert min(areas) < mask.sum() < max(areas)


def test_a_barrelled_tile_shows_its_corner_from_further_out():
    image = places_image()
    tiles_made = [
        augmented_tile(image, (), 64, 64, 128, replace(NONE, barrel=0.3), sample_rng(0, 0, sample))
        for sample in range(30)
    ]
    # At the corner r / R is 127 / 128, so its offset from the centre, 63.5, is multiplied by 1 + k (127 / 128)^2.
    factors = np.array([(127.5 - tile[0, 0, :2].astype(float)) / 63.5 for tile, _ in tiles_made])
    np.testing.assert_allclose(factors[:, 0], factors[:, 1], atol=0.01)
    drawn = np.array([0.3 * sample_rng(0, 0, sample).uniform(-1, 1, 22)[12] for sample in range(30)])
    np.testing.assert_allclose(factors[:, 0], 1 + drawn * (127 / 128) ** 2, atol=0.01)


def test_a_memory_map_is_read(tmp_path):
    arrays = (*noise_image(), ids_image())
    for place, array in enumerate(arrays):
        np.save(tmp_path / f"{place}.npy", array)
    image, *labels = (np.load(tmp_path / f"{place}.npy", mmap_mode="r") for place in range(3))
    for augmentation in (NONE, replace(NONE, flip=True, right_angle=True), FULL):
        for column in (-3, 10):
            expected = augmented_tile(arrays[0], arrays[1:], 10, column, 64, augmentation, sample_rng(0, 0, 0))
            read = augmented_tile(image, tuple(labels), 10, column, 64, augmentation, sample_rng(0, 0, 0))
            for one, other in zip((expected[0], *expected[1]), (read[0], *read[1]), strict=True):
                np.testing.assert_array_equal(one, other)
                assert not isinstance(other, np.memmap)


factors = st.floats(0, 1, allow_subnormal=False)
RANGES = {
    "flip": st.booleans(),
    "right_angle": st.booleans(),
    "rotation_deg": st.floats(0, 180),
    "shear_deg": st.floats(0, 45),
    "shift_px": st.floats(0, 100),
    "elastic_px": st.floats(0, 30),
    "elastic_grid_px": st.integers(1, 80),
    "gaussian_px": st.floats(0, 30),
    "gaussian_width_px": st.floats(1, 50),
    "barrel": st.floats(0, 0.3),
    "hue_deg": st.floats(0, 180),
    "blur_px": st.floats(0, 5),
    "noise": st.floats(0, 40),
    "jpeg": st.integers(0, 100),
}


@settings(max_examples=60, deadline=None)
@given(
    augmentation=st.builds(
        Augmentation, **{each.name: RANGES.get(each.name, factors) for each in fields(Augmentation)}
    ),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    corner=st.tuples(st.integers(-40, 80), st.integers(-40, 80)),
    tile_px=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_setting_gives_a_tile_without_a_new_class(augmentation, size, corner, tile_px, seed):
    image, mask = noise_image(*size, seed=1)
    ids = mask.astype(np.int32) * 65_537
    tile, (truth, nuclei) = augmented_tile(image, (mask, ids), *corner, tile_px, augmentation, sample_rng(seed, 1, 2))
    assert tile.shape == (tile_px, tile_px, 3)
    assert tile.flags.c_contiguous
    assert truth.flags.c_contiguous
    assert tile.dtype == truth.dtype == np.uint8
    assert set(np.unique(truth)) <= set(np.unique(mask))
    np.testing.assert_array_equal(nuclei > 0, truth > 0)
    pairs = np.unique(np.stack([nuclei, truth.astype(np.int32)]).reshape(2, -1), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]  # no nucleus has two classes


def test_a_turned_nucleus_at_the_border_points_away_from_its_own_centre():
    """And not from the middle between itself and its mirror image."""
    image, mask = noise_image(64, 64)
    ids = np.zeros(mask.shape, np.int32)
    ids[20:29, 3:8] = 5
    _, (found,) = plain_tile(image, (ids,), 0, -8, 64)
    horizontal = instance_maps(found)[0, 24]
    np.testing.assert_allclose(horizontal[11:16], [-1, -0.5, 0, 0.5, 1])
    np.testing.assert_allclose(horizontal[1:6], [-1, -0.5, 0, 0.5, 1])  # its mirror image, a nucleus like any other
