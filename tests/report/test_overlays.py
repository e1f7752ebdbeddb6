import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.report.overlays import OKABE_ITO, class_colours, outlined

PINK = np.full((12, 12, 3), (230, 160, 200), np.uint8)


def square_mask(value: int) -> np.ndarray:
    mask = np.zeros((12, 12), np.uint8)
    mask[3:9, 3:9] = value
    return mask


def test_outline_lies_inside_the_region_and_its_contrast_line_outside():
    picture = outlined(PINK, square_mask(1), width_px=1)
    assert (picture[3, 3:9] == OKABE_ITO[1]).all()
    assert (picture[2, 2:10] == 255).all()
    assert (picture[5, 5] == PINK[0, 0]).all()
    assert (picture[1] == PINK[1]).all()


def test_outline_is_as_wide_as_asked():
    picture = outlined(PINK, square_mask(1), width_px=2)
    is_line = (picture == OKABE_ITO[1]).all(-1)
    assert is_line.sum() == 36 - 4  # 6x6 square less its 2x2 centre


def test_light_colour_has_a_black_line_around_it():
    picture = outlined(PINK, square_mask(2), width_px=1)
    assert (picture[2, 5] == 0).all()


def test_a_regions_line_goes_on_along_the_image_border():
    mask = np.zeros((12, 12), np.uint8)
    mask[:, :6] = 1
    is_line = (outlined(PINK, mask, width_px=1) == OKABE_ITO[1]).all(-1)
    assert is_line[:, [0, 5]].all() and is_line[[0, 11], :6].all()
    assert not is_line[1:11, 1:5].any() and not is_line[:, 6:].any()


def test_an_image_that_is_all_one_class_looks_unlike_one_without_any():
    picture = outlined(PINK, np.full((12, 12), 3, np.uint8), width_px=2)
    assert (picture[2:10, 2:10] == PINK[0, 0]).all()
    assert (picture == OKABE_ITO[3]).all(-1).sum() == 144 - 64


def test_unannotated_pixels_are_hatched_and_annotated_pixels_are_not():
    mask = np.zeros((12, 12), np.uint8)
    mask[:, 8:] = 255
    picture = outlined(PINK, mask)
    assert (picture[:, :8] == PINK[:, :8]).all()
    assert (picture[0, 8:10] == 128).all()
    assert (picture[0, 10:] == PINK[0, 10:]).all()


def test_touching_nuclei_are_drawn_one_by_one_when_instances_are_given():
    mask = square_mask(1)
    instances = np.zeros((12, 12), np.int32)
    instances[3:9, 3:6] = 1
    instances[3:9, 6:9] = 2
    is_line = (outlined(PINK, mask, 1, instances) == OKABE_ITO[1]).all(-1)
    assert is_line[5].nonzero()[0].tolist() == [3, 5, 6, 8]
    assert (outlined(PINK, mask, 1)[5, 5] == PINK[0, 0]).all()


def test_the_image_given_is_not_changed():
    image = PINK.copy()
    outlined(image, square_mask(1))
    assert (image == PINK).all()


def test_mask_without_foreground_leaves_the_image_as_it_is():
    assert (outlined(PINK, np.zeros((12, 12), np.uint8)) == PINK).all()


def test_fifteen_classes_have_fifteen_colours():
    assert len(np.unique(class_colours(15), axis=0)) == 15


def test_more_classes_than_colours_are_refused():
    with pytest.raises(InputError, match="16 classes; expected at most 15"):
        class_colours(16)
