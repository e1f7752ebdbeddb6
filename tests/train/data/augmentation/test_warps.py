"""The coordinate map: each distortion by geometry, displacement fields by their formula, labels exact."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from histoloom.train.data.augmentation.tiles import augmented_tile, sample_rng
from histoloom.train.data.augmentation.warps import coordinate_map, elastic_field, gaussian_bump, remap, warp_maps
from tests.train.data.augmentation.pictures import NONE, WARP, noise_image, places_image

EYE, NO_SHIFT = np.eye(2), np.zeros(2)


def lens(tile_px, barrel):
    """Distances from the tile's centre as (x, y), in the tile and where the map takes them."""
    middle = (tile_px - 1) / 2
    inside = np.indices((tile_px, tile_px))[::-1] - middle
    return inside, np.stack(coordinate_map(tile_px, EYE, NO_SHIFT, barrel)) - middle


def test_no_distortion_is_the_identity():
    x, y = coordinate_map(5, EYE, NO_SHIFT)
    np.testing.assert_array_equal(y, x.T)
    np.testing.assert_array_equal(x, np.tile(np.arange(5.0), (5, 1)))


def test_a_quarter_turn_by_map_is_rot90():
    image, mask = noise_image()
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])  # the tile's x looks along the image's y
    tile, (truth,) = remap(image, (mask,), (10, 20), *coordinate_map(64, quarter, NO_SHIFT))
    np.testing.assert_array_equal(tile, np.rot90(image[10:74, 20:84], 1))
    np.testing.assert_array_equal(truth, np.rot90(mask[10:74, 20:84], 1))


@pytest.mark.parametrize("barrel", [0.2, -0.2])
def test_a_lens_moves_pixels_along_the_ray_by_its_formula(barrel):
    inside, shown = lens(101, barrel)
    radius, shown_radius = np.hypot(*inside), np.hypot(*shown)
    half_diagonal = math.hypot(101, 101) / 2
    np.testing.assert_allclose(shown_radius, radius * (1 + barrel * (radius / half_diagonal) ** 2), atol=1e-4)
    np.testing.assert_allclose(inside[0] * shown[1], inside[1] * shown[0], atol=1e-2)  # no pixel leaves its ray
    assert (shown[:, 50, 50] == 0).all()


@pytest.mark.parametrize(("barrel", "bends"), [(0.2, 1), (-0.2, -1)])
def test_barrel_bends_a_line_outwards_and_pincushion_inwards(barrel, bends):
    """A straight line 40 px right of the centre: in a barrel its ends lie nearer to the middle than its centre does."""
    size = 201
    image = np.zeros((size, size, 3), np.uint8)
    image[:, 139:142] = 255
    tile, _ = remap(image, (), (0, 0), *coordinate_map(size, EYE, NO_SHIFT, barrel))
    columns = (tile[..., 0] * np.arange(size)).sum(axis=1) / tile[..., 0].sum(axis=1)
    assert np.sign(columns[100] - columns[0]) == bends
    # On the middle row r (1 + k (r / R)^2) = 40 where R^2 = 201^2 / 2.
    (r,) = (root.real for root in np.roots([barrel * 2 / size**2, 0, 1, -40]) if 30 < root.real < 50 and not root.imag)
    assert columns[100] == pytest.approx(100 + r, abs=0.3)
    assert abs(columns[100] - 140) > 0.5


@pytest.mark.parametrize("barrel", [0.3, -0.3])
def test_the_strongest_lens_does_not_fold_the_tile(barrel):
    shown = np.diag(coordinate_map(256, EYE, NO_SHIFT, barrel)[0])
    assert (np.diff(shown) > 0).all()


def test_a_tile_of_one_pixel_has_a_lens_too():
    assert [each.tolist() for each in coordinate_map(1, EYE, NO_SHIFT, 0.3)] == [[[0.0]], [[0.0]]]


def test_a_bump_is_highest_at_its_centre_and_falls_by_its_width():
    bump = gaussian_bump(101, np.array([30.0, 60.0]), 12.0)
    assert bump[60, 30] == bump.max() == 1
    for row, column in ((60, 42), (60, 18), (48, 30), (72, 30)):  # one standard deviation away
        assert bump[row, column] == pytest.approx(math.exp(-0.5), abs=1e-6)
    assert bump[60, 54] == pytest.approx(math.exp(-2), abs=1e-6)


def test_the_bump_displaces_its_centre_by_the_peak_in_one_direction():
    tile_px, width = 129, 15.0
    draws = np.zeros(10)
    draws[5:9] = 0.25, -0.5, 1 / 3, 0.5  # centre at column 80, row 32; direction 60 degrees; three quarters of the most
    map_x, map_y = warp_maps(
        tile_px,
        EYE,
        replace(NONE, gaussian_px=8.0, gaussian_width_px=width),
        draws,
        np.random.default_rng(0),
    )
    moved = np.hypot(map_x - np.arange(tile_px), map_y - np.arange(tile_px)[:, None])
    assert np.unravel_index(moved.argmax(), moved.shape) == (32, 80)
    assert map_x[32, 80] - 80 == pytest.approx(6 * math.cos(math.pi / 3), abs=1e-3)
    assert map_y[32, 80] - 32 == pytest.approx(6 * math.sin(math.pi / 3), abs=1e-3)
    assert moved[32, 80 + 15] == pytest.approx(6 * math.exp(-0.5), abs=1e-3)
    assert moved[128, 0] < 1e-3


def test_the_bump_of_a_tile_is_never_larger_than_asked_and_comes_close():
    image = places_image()
    bump = replace(NONE, gaussian_px=9.0, gaussian_width_px=25.0)
    peaks, places, angles = [], [], []
    for sample in range(80):
        tile, _ = augmented_tile(image, (), 64, 64, 128, bump, sample_rng(0, 0, sample))
        moved = tile[..., :2].astype(float) - image[64:192, 64:192, :2]
        length = np.hypot(*moved.transpose(2, 0, 1))
        peaks.append(length.max())
        row, column = np.unravel_index(length.argmax(), length.shape)
        places.append((row, column))
        angles.append(math.atan2(*moved[row, column, ::-1]))
    assert 8 < max(peaks) <= 9 + 0.8  # places are rounded to whole grey levels
    assert min(peaks) < 1.5
    assert np.ptp(places, axis=0).min() > 100
    assert set(np.floor(np.array(angles) / (np.pi / 2)).astype(int)) >= {-2, -1, 0, 1}  # all four quarters


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
    image = places_image()
    elastic = replace(NONE, elastic_px=5.0, elastic_grid_px=32)
    moved = []
    for sample in range(60):
        tile, _ = augmented_tile(image, (), 64, 64, 128, elastic, sample_rng(0, 0, sample))
        moved.append(tile[..., :2].astype(float) - image[64:192, 64:192, :2])
    assert np.std(moved) == pytest.approx(5, rel=0.08)


def test_shear_slants_columns_by_its_angle():
    draws = np.zeros(10)
    draws[2] = 1.0
    map_x, map_y = warp_maps(65, EYE, replace(NONE, shear_deg=20.0), draws, np.random.default_rng(0))
    np.testing.assert_allclose(map_y, np.arange(65.0)[:, None] * np.ones(65), atol=1e-4)
    assert map_x[64, 32] - map_x[0, 32] == pytest.approx(64 * math.tan(math.radians(20)), abs=1e-3)


def test_shift_moves_all_pixels_alike():
    draws = np.zeros(10)
    draws[3:5] = 0.5, -1.0
    map_x, map_y = warp_maps(9, EYE, replace(NONE, shift_px=12.0), draws, np.random.default_rng(0))
    np.testing.assert_allclose(map_x - np.arange(9), 6)
    np.testing.assert_allclose(map_y - np.arange(9)[:, None], -12)


def test_the_lens_turns_with_the_tile():
    """The lens belongs to the tile and the shear to the tissue: the map is the linear one of the lens's offsets."""
    matrix = np.array([[0.8, -0.6], [0.6, 0.9]])
    offsets = np.stack(coordinate_map(33, EYE, NO_SHIFT, 0.25)) - 16
    composed = np.stack(coordinate_map(33, matrix, NO_SHIFT, 0.25)) - 16
    np.testing.assert_allclose(composed, np.einsum("ij,jhw->ihw", matrix, offsets), atol=1e-4)


USES = {
    "rotation_deg": {0},
    "scale": {1},
    "shear_deg": {2},
    "shift_px": {3, 4},
    "gaussian_px": {5, 6, 7, 8},
    "barrel": {9},
}


@pytest.mark.parametrize("name", [*USES, "elastic_px"])
def test_each_random_number_is_for_one_distortion(name):
    """Two distortions that shared a number would go together in all tiles."""

    def made(draws):
        return np.stack(
            warp_maps(32, EYE, replace(NONE, **{name: getattr(WARP, name)}), draws, np.random.default_rng(0))
        )

    base = np.full(10, 0.3)
    changes = {place for place in range(10) if (made(base) != made(np.where(np.arange(10) == place, 0.7, base))).any()}
    assert changes == USES.get(name, set())


@pytest.mark.parametrize("name", ["elastic_px", "gaussian_px"])
def test_a_displacement_is_the_same_whatever_else_is_on(name):
    def made(setting):
        return np.stack(warp_maps(32, EYE, setting, np.full(10, 0.3), np.random.default_rng(0)))

    alone = made(
        replace(NONE, **{each: getattr(WARP, each) for each in (name, "elastic_grid_px", "gaussian_width_px")})
    )
    np.testing.assert_allclose(made(WARP) - made(replace(WARP, **{name: 0.0})), alone - made(NONE), atol=1e-4)
    assert np.abs(alone - made(NONE)).max() > 1
