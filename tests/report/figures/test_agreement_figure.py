"""Agreement maps: each pixel has the colour of its code, and the numbers beside it are those of the picture."""

import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.text import Text

from histoloom.evaluate.counting.agreement_map import PIXEL_CODES
from histoloom.report.examples.choice import Choice
from histoloom.report.figures.agreement import (
    NUCLEUS_COLOURS,
    PIXEL_COLOURS,
    Compared,
    coloured,
    draw_agreement,
    drawn_colours,
    nucleus_numbers,
    numbers,
    pixel_numbers,
    table_rows,
    without_unannotated,
)


def rgb(colour):
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def nuclei(*places, shape=(20, 40)):
    """Rectangles (rows, columns) with ids 1, 2, ..."""
    found = np.zeros(shape, np.int32)
    for number, (rows, columns) in enumerate(places, start=1):
        found[slice(*rows), slice(*columns)] = number
    return found


def compared(name="a_1", with_nuclei=True, unannotated=False):
    truth = np.zeros((20, 40), np.uint8)
    truth[2:10, 2:10], truth[2:10, 20:28] = 1, 2
    if unannotated:
        truth[:, 38:] = 255
    predicted = np.zeros_like(truth)
    predicted[2:10, 4:12], predicted[2:10, 20:28] = 1, 1
    image = np.full((20, 40, 3), (231, 170, 200), np.uint8)
    instances = (nuclei(((2, 10), (2, 10))), nuclei(((2, 10), (4, 12)))) if with_nuclei else (None, None)
    return Compared(Choice("worst", name, (0,), 0.25), image, truth, predicted, *instances, mpp=0.25)


def test_pixels_are_counted_by_hand():
    one = compared(unannotated=True)
    # 8 rows: of the first square 6 columns hit, 2 missed, 2 false; of the second all 8 columns of another class
    assert pixel_numbers(one.truth, one.predicted) == {
        "true negative": 800 - 40 - 8 * (6 + 2 + 2 + 8),
        "true positive": 48,
        "false negative": 16,
        "false positive": 16,
        "confused class": 64,
        "not annotated": 40,
    }


def test_nuclei_are_counted_by_hand():
    truth = nuclei(((0, 8), (0, 8)), ((0, 8), (10, 18)), ((0, 8), (20, 28)), ((0, 8), (28, 36)), ((12, 18), (0, 6)))
    predicted = nuclei(
        ((0, 8), (0, 7)),  # found
        *(((0, 4), (10, 18)), ((4, 8), (10, 18))),  # two halves of the second: split
        ((0, 8), (20, 36)),  # the third and the fourth: merged
        ((14, 18), (30, 38)),  # false; the fifth true one is missed
    )
    found = nucleus_numbers(truth, predicted)
    assert found == {"found": 1, "missed": 1, "split": 1, "merged": 2, "false": 4}
    assert sum(found.values()) - found["false"] == 5 and found["found"] + found["false"] == 5


@pytest.mark.parametrize(("true", "predicted", "false"), [(0, 0, 0), (0, 1, 1), (1, 0, 0)])
def test_images_without_nuclei_are_counted_too(true, predicted, false):
    square = nuclei(((0, 4), (0, 4)))
    found = nucleus_numbers(square * np.int32(true), square * np.int32(predicted))
    assert (found["missed"], found["false"], found["found"]) == (true, false, 0)


def test_nuclei_that_nobody_annotated_are_left_out():
    truth = np.zeros((20, 40), np.uint8)
    truth[:, 20:] = 255
    found = without_unannotated(nuclei(((0, 4), (17, 22)), ((8, 12), (18, 22)), ((14, 18), (18, 24))), truth)
    assert np.unique(found).tolist() == [0, 1, 2]  # 40 %, half, and two thirds on 255


def test_each_code_has_its_colour_and_the_rest_is_pale_grey_tissue():
    image = np.full((1, 6, 3), (200, 100, 0), np.uint8)
    picture = coloured(image, np.array([[0, 1, 2, 3, 4, 255]], np.uint8), PIXEL_CODES, PIXEL_COLOURS)
    assert picture[0, 0].tolist() == [int(100 * 0.35 + 255 * 0.65)] * 3
    names = ("true positive", "false negative", "false positive", "confused class", "not annotated")
    assert picture[0, 1:].tolist() == [rgb(PIXEL_COLOURS[name]) for name in names]


def test_the_pictures_show_image_pixels_and_nuclei_side_by_side():
    figure = draw_agreement([compared()], "dice (mean)")
    pictures = [np.asarray(picture.get_array()) for picture in figure.findobj(AxesImage)]
    assert len(pictures) == 3
    assert (pictures[0] == (231, 170, 200)).all()
    places = {(5, 6): "true positive", (5, 2): "false negative", (5, 11): "false positive", (5, 22): "confused class"}
    for place, name in places.items():
        assert pictures[1][place].tolist() == rgb(PIXEL_COLOURS[name])
    assert pictures[2][5, 6].tolist() == rgb(NUCLEUS_COLOURS["found"])
    assert len(set(map(tuple, pictures[2][5, 20:28]))) == 1  # no nucleus there: tissue


def test_the_numbers_stand_beside_the_picture():
    figure = draw_agreement([compared()], "dice (mean)")
    words = [text.get_text() for text in figure.texts]
    assert "nuclei: 1 true, 1 predicted" in words
    place = words.index("confused class")
    assert words[place : place + 3] == ["confused class", "64", "8.0%"]
    assert "not annotated" not in words
    assert "not annotated" in [text.get_text() for text in draw_agreement([compared(unannotated=True)], "x").texts]


def test_without_nuclei_there_are_only_pixels():
    one = compared(with_nuclei=False)
    assert set(numbers(one)) == {"pixels"}
    figure = draw_agreement([one], "dice (mean)")
    assert len(figure.findobj(AxesImage)) == 2
    assert not any("nuclei" in text.get_text() for text in figure.texts)


def test_the_table_has_a_row_for_each_code():
    rows = table_rows([compared("a"), compared("b", with_nuclei=False)])
    assert ("worst", "a", 0, "pixels", "confused class", 64) in rows
    assert ("worst", "a", 0, "nuclei", "found", 1) in rows
    assert len(rows) == 6 + 5 + 6
    assert sum(row[-1] for row in rows if row[1] == "a" and row[3] == "pixels") == 800


@pytest.mark.parametrize("with_nuclei", [True, False])
def test_all_text_is_inside_the_figure_and_at_least_eight_points(with_nuclei):
    made = [compared(name, with_nuclei, name == "a") for name in ("a", "x" * 200, "腺 $a$")]
    figure = draw_agreement(made, f"dice ({'class ' * 30})")
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 8


def test_the_palette_keeps_every_colour():
    kept = {tuple(map(int, colour)) for colour in drawn_colours()}
    assert {tuple(rgb(colour)) for colour in (*PIXEL_COLOURS.values(), *NUCLEUS_COLOURS.values())} <= kept
