"""Augmented tiles: exact where they can be, aligned with their mask everywhere, repeatable always."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.train.augment import (
    Augmentation,
    augmented_tile,
    colour_matrix,
    coordinate_map,
    elastic_field,
    plain_tile,
    remap,
    sample_rng,
)

NONE = Augmentation.none()
FULL = Augmentation(True, True, 30.0, 0.25, 8.0, 12.0, 4.0, 32, 0.2, 0.2, 0.3, 10.0)
WARP = replace(FULL, elastic_px=2.0, brightness=0.0, contrast=0.0, saturation=0.0, hue_deg=0.0)


def noise_image(height=120, width=150, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, rng.choice(np.array([0, 1, 3, 255], dtype=np.uint8), (height, width))


def blob_image(size=200):
    """Large discs, so that few pixels lie on an edge; the red channel is the mask times 50."""
    mask = np.zeros((size, size), np.uint8)
    for value, (x, y) in enumerate(((40, 50), (120, 60), (70, 140), (160, 150)), start=1):
        cv2.circle(mask, (x, y), 30, value, -1)
    return np.dstack([mask * 50, mask * 0, mask * 0]), mask


def far_from_edges(mask):
    """Linear and nearest differ within two pixels of an edge only; the tile's own border may hide one."""
    alike = cv2.erode(mask, np.ones((5, 5))) == cv2.dilate(mask, np.ones((5, 5)))
    alike[:2] = alike[-2:] = alike[:, :2] = alike[:, -2:] = False
    return alike


def test_no_augmentation_gives_the_crop():
    image, mask = noise_image()
    tile, truth = augmented_tile(image, mask, 10, 20, 64, NONE, sample_rng(0, 0, 0))
    np.testing.assert_array_equal(tile, image[10:74, 20:84])
    np.testing.assert_array_equal(truth, mask[10:74, 20:84])


def test_a_tile_is_a_copy_and_not_a_view():
    image, mask = noise_image()
    tile, truth = plain_tile(image, mask, 0, 0, 64)
    assert not np.shares_memory(tile, image)
    assert not np.shares_memory(truth, mask)


@pytest.mark.parametrize(("row", "column", "tile_px"), [(-5, 100, 64), (90, -8, 64), (0, 0, 200), (-130, 160, 400)])
def test_beyond_the_edge_tissue_is_mirrored(row, column, tile_px):
    image, mask = noise_image()
    margin = 700  # np.pad is the oracle
    widened = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    widened_mask = np.pad(mask, margin, mode="reflect")
    part = (slice(row + margin, row + margin + tile_px), slice(column + margin, column + margin + tile_px))
    tile, truth = plain_tile(image, mask, row, column, tile_px)
    np.testing.assert_array_equal(tile, widened[part])
    np.testing.assert_array_equal(truth, widened_mask[part])


def test_flips_and_right_angles_are_the_eight_exact_ones():
    image, mask = noise_image()
    crop, crop_mask = image[10:74, 20:84], mask[10:74, 20:84]
    turned = [np.rot90(side, k) for side in (crop, crop[:, ::-1]) for k in range(4)]
    turned_masks = [np.rot90(side, k) for side in (crop_mask, crop_mask[:, ::-1]) for k in range(4)]
    seen = set()
    for sample in range(60):
        tile, truth = augmented_tile(
            image, mask, 10, 20, 64, replace(NONE, flip=True, right_angle=True), sample_rng(1, 0, sample)
        )
        (which,) = [number for number, other in enumerate(turned) if np.array_equal(tile, other)]
        np.testing.assert_array_equal(truth, turned_masks[which])
        seen.add(which)
    assert seen == set(range(8))


def test_flips_alone_never_turn():
    image, mask = noise_image()
    crop = image[:64, :64]
    allowed = (crop, crop[::-1], crop[:, ::-1], crop[::-1, ::-1])
    for sample in range(20):
        tile, _ = augmented_tile(image, mask, 0, 0, 64, replace(NONE, flip=True), sample_rng(0, 0, sample))
        assert any(np.array_equal(tile, other) for other in allowed)


def test_a_quarter_turn_by_map_is_rot90():
    image, mask = noise_image()
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])  # the tile's x looks along the image's y
    tile, truth = remap(image, mask, (10, 20), *coordinate_map(64, quarter, np.zeros(2)))
    np.testing.assert_array_equal(tile, np.rot90(image[10:74, 20:84], 1))
    np.testing.assert_array_equal(truth, np.rot90(mask[10:74, 20:84], 1))


def test_the_exact_turn_and_the_turn_by_map_agree():
    image, mask = noise_image()
    turns = replace(NONE, flip=True, right_angle=True)
    by_map = replace(turns, shift_px=1e-9)  # too little to change a pixel, enough to take the map
    for sample in range(12):
        exact = augmented_tile(image, mask, 10, 20, 64, turns, sample_rng(2, 0, sample))
        mapped = augmented_tile(image, mask, 10, 20, 64, by_map, sample_rng(2, 0, sample))
        np.testing.assert_array_equal(exact[0], mapped[0])
        np.testing.assert_array_equal(exact[1], mapped[1])


def test_image_and_mask_stay_aligned():
    image, mask = blob_image()
    for sample in range(10):
        tile, truth = augmented_tile(image, mask, 30, 30, 128, WARP, sample_rng(3, 0, sample))
        inside = far_from_edges(truth)
        assert inside.mean() > 0.6
        np.testing.assert_array_equal(tile[inside, 0], truth[inside] * 50)


def test_a_wrong_mask_would_be_noticed():
    image, mask = blob_image()
    tile, truth = augmented_tile(image, np.roll(mask, 5, axis=1), 30, 30, 128, WARP, sample_rng(3, 0, 0))
    inside = far_from_edges(truth)
    assert (tile[inside, 0] != truth[inside] * 50).any()


def test_unannotated_stays_unannotated():
    image, _ = noise_image()
    mask = np.full(image.shape[:2], 255, np.uint8)
    _, truth = augmented_tile(image, mask, 0, 0, 96, FULL, sample_rng(0, 0, 0))
    assert (truth == 255).all()


def test_same_numbers_same_bytes():
    image, mask = noise_image()
    first = augmented_tile(image, mask, 5, 5, 96, FULL, sample_rng(1, 2, 3))
    again = augmented_tile(image, mask, 5, 5, 96, FULL, sample_rng(1, 2, 3))
    other = augmented_tile(image, mask, 5, 5, 96, FULL, sample_rng(1, 3, 3))
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1].tobytes() == again[1].tobytes()
    assert first[0].tobytes() != other[0].tobytes()


def test_the_three_seeds_are_not_interchangeable():
    draws = {sample_rng(*key).integers(2**62) for key in ((0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1), (0, 0, 257))}
    assert len(draws) == 5


def test_the_tile_and_not_the_image_is_turned():
    """A rotated tile shows its real surroundings: no mirrored tissue where the image goes on."""
    size = 300
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    image = np.dstack([columns // 2, rows // 2, rows * 0]).astype(np.uint8)  # says where it is, in steps of 2 px
    tile, _ = augmented_tile(image, image[..., 0], 118, 118, 64, replace(NONE, rotation_deg=45.0), sample_rng(0, 0, 5))
    angle = np.deg2rad(45 * sample_rng(0, 0, 5).uniform(-1, 1, 12)[3])
    offset = np.array([-31.5, -31.5])
    x, y = 149.5 + np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ offset
    assert abs(angle) > 0.2
    assert tile[0, 0, :2].astype(float) * 2 == pytest.approx([x, y], abs=2)


@pytest.mark.parametrize("grid_px", [16, 32, 50])
def test_elastic_displacement_has_the_stated_deviation(grid_px):
    rng = np.random.default_rng(0)
    fields = np.array([elastic_field(128, 3.0, grid_px, rng) for _ in range(300)])
    assert np.sqrt((fields**2).mean()) == pytest.approx(3.0, rel=0.05)
    steps = np.diff(fields, axis=2)
    assert np.sqrt((steps**2).mean()) < 3.0 * 3 / grid_px  # smooth: unrelated neighbours would differ by 3 * sqrt(2)


def test_elastic_field_is_what_cv2_resize_makes_of_its_noise():
    field = elastic_field(64, 1.0, 16, np.random.default_rng(4))
    noise = np.random.default_rng(4).standard_normal((5, 5), dtype=np.float32)
    resized = cv2.resize(noise, (80, 80), interpolation=cv2.INTER_CUBIC)[8:72, 8:72]
    np.testing.assert_allclose(field / field.std(), resized / resized.std(), atol=1e-4)


def test_an_elastic_tile_moves_by_the_stated_pixels():
    size = 256
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(size)[None, :], np.arange(size)[:, None]
    moved = []
    for sample in range(60):
        tile, _ = augmented_tile(
            image,
            image[..., 0],
            64,
            64,
            128,
            replace(NONE, elastic_px=5.0, elastic_grid_px=32),
            sample_rng(0, 0, sample),
        )
        moved.append(tile[..., :2].astype(float) - image[64:192, 64:192, :2])
    assert np.std(moved) == pytest.approx(5, rel=0.08)


def test_zoom_is_centred_and_magnifies():
    image, mask = np.zeros((400, 400, 3), np.uint8), np.zeros((400, 400), np.uint8)
    cv2.circle(mask, (200, 200), 10, 1, -1)
    areas = []
    for sample in range(40):
        _, truth = augmented_tile(image, mask, 136, 136, 129, replace(NONE, scale=1.0), sample_rng(0, 0, sample))
        assert truth[64, 64] == 1
        zoom = 2.0 ** sample_rng(0, 0, sample).uniform(-1, 1, 12)[4]
        assert truth.sum() == pytest.approx(mask.sum() * zoom**2, rel=0.12)
        areas.append(truth.sum())
    assert min(areas) < mask.sum() < max(areas)


def test_a_memory_map_is_read(tmp_path):
    image, mask = noise_image()
    np.save(tmp_path / "image.npy", image)
    np.save(tmp_path / "mask.npy", mask)
    mapped = (np.load(tmp_path / "image.npy", mmap_mode="r"), np.load(tmp_path / "mask.npy", mmap_mode="r"))
    for augmentation in (NONE, FULL):
        expected = augmented_tile(image, mask, 100, -3, 64, augmentation, sample_rng(0, 0, 0))
        read = augmented_tile(*mapped, 100, -3, 64, augmentation, sample_rng(0, 0, 0))
        for one, other in zip(expected, read, strict=True):
            np.testing.assert_array_equal(one, other)


def test_no_strength_leaves_colours_alone():
    np.testing.assert_allclose(colour_matrix(NONE, np.array([0.3, -0.7, 1.0, 0.5])), np.eye(3, 4), atol=1e-12)


def test_colour_changes_the_image_and_not_the_mask():
    image, mask = noise_image()
    colours = replace(NONE, brightness=0.2, contrast=0.2, saturation=0.3, hue_deg=10.0)
    tile, truth = augmented_tile(image, mask, 0, 0, 64, colours, sample_rng(0, 0, 0))
    np.testing.assert_array_equal(truth, mask[:64, :64])
    assert (tile != image[:64, :64]).any()


@pytest.mark.parametrize(
    ("name", "strength", "draw", "before", "after"),
    [
        ("brightness", 0.5, -1, (100, 60, 20), (50, 30, 10)),
        ("contrast", 0.5, -1, (127.5, 227.5, 27.5), (127.5, 177.5, 77.5)),
        ("saturation", 1.0, -1, (200, 100, 50), (124.2, 124.2, 124.2)),  # 0.299*200 + 0.587*100 + 0.114*50
        ("hue_deg", 120.0, 1, (200, 100, 50), (50, 200, 100)),  # a third of a turn exchanges the channels
        ("hue_deg", 40.0, 1, (90, 90, 90), (90, 90, 90)),
    ],
)
def test_each_colour_change_by_hand(name, strength, draw, before, after):
    matrix = colour_matrix(replace(NONE, **{name: strength}), np.full(4, float(draw)))
    np.testing.assert_allclose(matrix @ np.array([*before, 1.0]), after, atol=1e-9)


def test_bright_pixels_are_clipped_and_do_not_wrap():
    image, mask = np.full((32, 32, 3), 250, np.uint8), np.zeros((32, 32), np.uint8)
    tiles = [
        augmented_tile(image, mask, 0, 0, 32, replace(NONE, brightness=0.9), sample_rng(0, 0, sample))[0][0, 0, 0]
        for sample in range(20)
    ]
    assert max(tiles) == 255
    factors = [1 + 0.9 * sample_rng(0, 0, sample).uniform(-1, 1, 12)[8] for sample in range(20)]
    np.testing.assert_allclose(tiles, np.minimum(250 * np.array(factors), 255), atol=1)


strengths = st.floats(0, 1, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(
    augmentation=st.builds(
        Augmentation,
        flip=st.booleans(),
        right_angle=st.booleans(),
        rotation_deg=st.floats(0, 180),
        scale=strengths,
        shear_deg=st.floats(0, 45),
        shift_px=st.floats(0, 100),
        elastic_px=st.floats(0, 30),
        elastic_grid_px=st.integers(1, 80),
        brightness=strengths,
        contrast=strengths,
        saturation=strengths,
        hue_deg=st.floats(0, 180),
    ),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    corner=st.tuples(st.integers(-40, 80), st.integers(-40, 80)),
    tile_px=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_setting_gives_a_tile_without_a_new_class(augmentation, size, corner, tile_px, seed):
    image, mask = noise_image(*size, seed=1)
    tile, truth = augmented_tile(image, mask, *corner, tile_px, augmentation, sample_rng(seed, 1, 2))
    assert tile.shape == (tile_px, tile_px, 3)
    assert tile.flags.c_contiguous
    assert truth.flags.c_contiguous
    assert tile.dtype == truth.dtype == np.uint8
    assert set(np.unique(truth)) <= set(np.unique(mask))
