"""Tissue is found by its colour, glass and ink are not, and a mask of one's own is taken as it is."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import ndimage

from histoloom.errors import InputError
from histoloom.formats.images import write_image
from histoloom.slides.tissue import TissueSettings, find_tissue, own_tissue, saturation_cut, tissue_warnings
from tests.slides.made_slides import MadeTissue

GLASS, PALE, DARK = (244, 243, 245), (235, 215, 228), (120, 70, 150)
MPP = 8.0


def settings(**values) -> TissueSettings:
    """All clean-up left out, but for what is given."""
    plain = {"tissue_mpp": MPP, "closing_um": 0.0, "hole_um2": 0.0, "piece_um2": 0.0, "margin_um": 0.0}
    return TissueSettings(**plain | values)


def slide_picture(*patches, height=60, width=80, ground=GLASS):
    """Glass, with camera noise, and on it rectangles (top, bottom, left, right, colour)."""
    picture = np.empty((height, width, 3))
    picture[:] = ground
    for top, bottom, left, right, colour in patches:
        picture[top:bottom, left:right] = colour
    noise = np.random.default_rng(0).normal(0, 1.5, picture.shape)
    return np.rint(np.clip(picture + noise, 0, 255)).astype(np.uint8)


def found(picture, **values):
    return find_tissue(picture, MPP, settings(**values))


def test_an_ellipse_of_tissue_is_found_where_it_lies():
    made = MadeTissue(1600, 2400)
    means = made.rows(0, 1600).reshape(100, 16, 150, 16, 3).mean((1, 3))
    truth = made.tissue(0, 1600).reshape(100, 16, 150, 16).mean((1, 3)) >= 0.5
    tissue = found(np.rint(means).astype(np.uint8))
    assert (tissue & truth).sum() == truth.sum()
    # The blur takes in what is within two pixels of the border, no more.
    assert (tissue & ~ndimage.binary_dilation(truth, iterations=2)).sum() == 0


def test_glass_alone_is_no_tissue():
    assert not found(slide_picture()).any()


@pytest.mark.parametrize("colours", [(PALE, PALE), (PALE, DARK), (DARK, DARK)])
def test_no_border_is_made_up_where_all_is_tissue(colours):
    picture = slide_picture((0, 60, 0, 40, colours[0]), (0, 60, 40, 80, colours[1]))
    assert found(picture).all()


def test_pale_tissue_counts_beside_dark_tissue_and_glass():
    tissue = found(slide_picture((10, 50, 10, 40, PALE), (10, 50, 40, 60, DARK)))
    assert tissue[12:48, 12:58].all()
    assert not tissue[:, 64:].any()


def test_black_borders_black_ink_and_green_ink_are_no_tissue_and_blue_ink_is():
    black, green, blue = (10, 8, 9), (40, 150, 90), (40, 60, 170)
    patches = [(0, 60, 0, 10, black), (40, 55, 20, 40, (30, 30, 38)), (5, 20, 20, 40, green), (5, 20, 60, 75, blue)]
    tissue = found(slide_picture(*patches))
    assert not tissue[:, :8].any()
    assert not tissue[42:53, 22:38].any()
    assert not tissue[7:18, 22:38].any()
    assert tissue[7:18, 62:73].all()


def test_a_black_picture_has_no_tissue():
    assert not found(slide_picture(ground=(0, 0, 0))).any()


def test_a_single_pixel_of_tissue_is_found_or_dropped_by_its_area():
    picture = slide_picture((30, 31, 40, 41, DARK))
    tissue = found(picture)
    assert tissue[30, 40]
    assert tissue.sum() <= 25
    assert not found(picture, piece_um2=2_000.0).any()


@pytest.mark.parametrize("values", [[3] * 50, [0, 1, 2, 3, 4, 5, 6, 7] * 9, []])
def test_noise_of_glass_lies_below_the_cut(values):
    assert saturation_cut(np.array(values, np.uint8)) == 8


def test_a_slide_that_is_all_tissue_is_not_split_between_stroma_and_nuclei():
    assert saturation_cut(np.array([30] * 60 + [140] * 40, np.uint8)) == 8


def test_between_glass_and_tissue_the_cut_is_otsus():
    # The classes {2, 11} and {60}: the only split in two that leaves the third value with its neighbour.
    assert saturation_cut(np.array([2] * 80 + [11] * 10 + [60] * 40, np.uint8)) == 11


@hypothesis_settings(deadline=None)
@given(st.lists(st.integers(0, 255), max_size=200))
def test_the_cut_never_leaves_its_bounds(values):
    assert 8 <= saturation_cut(np.array(values, np.uint8)) <= 16


def test_gaps_are_closed_up_to_twice_the_length():
    picture = slide_picture((10, 50, 5, 30, DARK), (10, 50, 40, 70, DARK))
    assert not found(picture)[30, 34:36].any()
    assert not found(picture, closing_um=2 * MPP)[30, 34:36].any()
    assert found(picture, closing_um=5 * MPP)[12:48, 7:68].all()


def test_holes_are_filled_up_to_an_area_and_bays_at_the_border_are_not():
    picture = slide_picture((0, 50, 5, 75, DARK), (20, 32, 20, 32, GLASS), (0, 12, 50, 62, GLASS))
    assert not found(picture, hole_um2=40 * MPP**2)[24:28, 24:28].any()
    filled = found(picture, hole_um2=144 * MPP**2)
    assert filled[20:32, 20:32].all()
    assert not filled[:8, 54:58].any()


def test_pieces_below_an_area_are_dropped():
    picture = slide_picture((10, 20, 10, 20, DARK), (30, 50, 40, 60, DARK))
    tissue = found(picture, piece_um2=300 * MPP**2)
    assert not tissue[:25].any()
    assert tissue[30:50, 40:60].all()


@pytest.mark.parametrize("margin_px", [1, 2.5, 7])
def test_the_margin_is_a_distance(margin_px):
    picture = slide_picture((20, 30, 20, 35, DARK))
    distances = ndimage.distance_transform_edt(~found(picture))
    assert (found(picture, margin_um=margin_px * MPP) == (distances <= margin_px)).all()


def overlaps(mask, shape):
    """Whether any pixel of the mask that a pixel of the result overlaps is set, in fractions."""
    result = np.zeros(shape, bool)
    steps = [Fraction(side, count) for side, count in zip(mask.shape, shape, strict=True)]
    for row, column in np.ndindex(*shape):
        part = tuple(
            slice(floor(at * step), ceil((at + 1) * step)) for at, step in zip((row, column), steps, strict=True)
        )
        result[row, column] = mask[part].any()
    return result


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.integers(1, 14), st.integers(1, 14), st.integers(1, 14), st.integers(1, 14), st.integers(0, 99))
def test_each_pixel_of_ones_own_mask_counts_at_any_size(tmp_path_factory, rows, columns, height, width, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.2
    path = tmp_path_factory.getbasetemp() / "own.png"
    write_image(path, mask.astype(np.uint8) * 255)
    assert (own_tissue(path, columns * 100, rows * 100, (height, width)) == overlaps(mask, (height, width))).all()


@pytest.mark.parametrize(("size", "fits"), [((750, 1000), True), ((757, 1000), True), ((770, 1000), False)])
def test_ones_own_mask_has_the_proportions_of_the_slide(tmp_path, size, fits):
    write_image(tmp_path / "own.png", np.zeros(size, np.uint8))
    if fits:
        assert not own_tissue(tmp_path / "own.png", 40_000, 30_000, (75, 100)).any()
        return
    with pytest.raises(
        InputError, match=r"own\.png: 1000 x 770 pixels, for a slide of 40000 x 30000; expected the"
    ) as e:
        own_tissue(tmp_path / "own.png", 40_000, 30_000, (75, 100))
    assert len(str(e.value).splitlines()) <= 4


def test_the_sides_of_a_small_mask_may_be_rounded(tmp_path):
    write_image(tmp_path / "own.png", np.ones((7, 10), np.uint8))  # exactly 7.43 x 10
    assert own_tissue(tmp_path / "own.png", 40_000, 29_700, (74, 100)).all()


@pytest.mark.parametrize(("name", "value"), [("tissue_mpp", 0.0), ("closing_um", -1.0), ("margin_um", float("nan"))])
def test_settings_that_make_no_sense_are_named(name, value):
    with pytest.raises(InputError, match=f"slides: {name}: {value}; expected"):
        settings(**{name: value})


def test_what_is_worth_a_look_is_said():
    none, some, everything = np.zeros((2, 2), bool), np.eye(2, dtype=bool), np.ones((2, 2), bool)
    assert tissue_warnings(some, 0.25, 0.2501) == tissue_warnings(some, 0.25, None) == []
    assert "header says 0.5 µm per pixel, the setting 0.25" in tissue_warnings(some, 0.25, 0.5)[0]
    assert "no tissue was found" in tissue_warnings(none, 0.25, None)[0]
    assert "no empty glass was found" in tissue_warnings(everything, 0.25, None)[0]
