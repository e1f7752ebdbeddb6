"""Outlines lie where regions end, dashes let truth be seen below, and scale bars are as long as they say."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from histoloom.report.figures.outlines import (
    DASHES_PT,
    PREDICTED,
    TRUTH,
    Line,
    draw_both,
    draw_classes,
    draw_outlines,
    label_map,
    rings,
)
from histoloom.report.figures.panel_rows import Place, add_picture, for_display
from histoloom.report.figures.scale_bar import draw_scale_bar
from histoloom.report.figures.style import house_style
from histoloom.report.figures.window import STEP_PX, WINDOW_PX, is_whole, whole, window_of
from histoloom.report.overlays import OKABE_ITO

PIXELS, DOTS = 20, 300  # of the drawing: for each pixel of the image, and an inch; a line is 4 of them wide


def square(first=2, last=5, side=10, value=1):
    labels = np.zeros((side, side), np.int32)
    labels[first : last + 1, first : last + 1] = value
    return labels


def panel_of(side=10):
    """A white picture, each pixel of which is drawn with PIXELS x PIXELS pixels."""
    inches = side * PIXELS / DOTS
    figure = Figure(figsize=(inches, inches), dpi=DOTS)
    return add_picture(figure, np.full((side, side, 3), 255, np.uint8), Place(0, 0, inches, inches))


def drawn(panel):
    canvas = FigureCanvasAgg(panel.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def near(pixels, colour, tolerance=40):
    return np.abs(pixels - np.asarray(colour, int)).max(axis=-1) <= tolerance


def test_a_ring_runs_half_way_between_inside_and_outside():
    (ring,) = rings(square())[1]
    assert ring.min(axis=0).tolist() == [1.5, 1.5] and ring.max(axis=0).tolist() == [5.5, 5.5]
    assert (ring[0] == ring[-1]).all()


def test_rings_give_x_before_y():
    labels = np.zeros((10, 20), np.int32)
    labels[1:3, 12:18] = 1
    (ring,) = rings(labels)[1]
    assert ring.min(axis=0).tolist() == [11.5, 0.5] and ring.max(axis=0).tolist() == [17.5, 2.5]


def test_a_ring_is_closed_along_the_border_of_the_image():
    labels = np.zeros((10, 10), np.int32)
    labels[:, :4] = 1
    (ring,) = rings(labels)[1]
    assert ring.min(axis=0).tolist() == [-0.5, -0.5] and ring.max(axis=0).tolist() == [3.5, 9.5]
    assert (ring[0] == ring[-1]).all()
    (frame,) = rings(np.ones((5, 5), np.int32))[1]
    assert frame.min() == -0.5 and frame.max() == 4.5


def test_an_image_that_is_all_one_class_is_framed_in_its_colour():
    panel = panel_of()
    draw_classes(panel, np.full((10, 10), 2, np.uint8), None)
    pixels = drawn(panel)
    assert near(pixels[100, [0, 1, -2, -1]], OKABE_ITO[2]).all() and near(pixels[[0, 1], 100], OKABE_ITO[2]).all()
    assert (pixels[10:-10, 10:-10] == 255).all()


def test_a_hole_has_a_ring_of_its_own_and_labels_may_have_gaps():
    labels = square(1, 8, value=3)
    labels[4:6, 4:6] = 0
    assert list(rings(labels)) == [3]
    assert sorted(len(np.unique(ring[:, 0])) > 4 for ring in rings(labels)[3]) == [False, True]


def test_touching_nuclei_of_a_class_are_regions_of_their_own_and_unannotated_pixels_of_none():
    mask = np.array([[1, 1, 2, 255, 0]], np.uint8)
    nuclei = np.array([[4, 9, 9, 9, 9]], np.int32)
    labels, classes = label_map(mask, nuclei)
    assert classes[labels].tolist() == [[1, 1, 2, 0, 0]]
    assert len(np.unique(labels[:, :3])) == 3
    assert label_map(mask, None)[0].tolist() == [[1, 1, 2, 0, 0]]


def test_an_outline_is_drawn_at_its_place_with_its_contrast_on_both_sides():
    panel = panel_of()
    draw_outlines(panel, rings(square())[1], Line(OKABE_ITO[2]))
    row = drawn(panel)[80]  # through the middle of the square, whose edges are 2 and 6 pixels from the left
    for edge in (40, 120):
        assert near(row[[edge - 1, edge]], OKABE_ITO[2]).all()
        assert near(row[[edge - 4, edge + 3]], (0, 0, 0), 60).all()
    assert (row[46:114] == 255).all() and (row[:34] == 255).all() and (row[126:] == 255).all()


def test_where_truth_and_prediction_agree_both_are_seen():
    panel = panel_of(40)
    labels = square(5, 34, 40)
    draw_both(panel, labels, labels)
    top = drawn(panel)[100, 160:640]
    blue, yellow = (near(top, line.colour).mean() for line in (TRUTH, PREDICTED))
    dashes, gaps = DASHES_PT
    assert blue == pytest.approx(gaps / (dashes + gaps), abs=0.1)
    assert yellow == pytest.approx(dashes / (dashes + gaps), abs=0.1)


def test_a_missed_region_has_a_whole_line_and_a_false_one_gaps():
    panel = panel_of(40)
    draw_both(panel, square(5, 14, 40), square(25, 34, 40))
    pixels = drawn(panel)
    assert near(pixels[100, 120:280], TRUTH.colour).all()
    assert near(pixels[500, 520:680], PREDICTED.colour).any()
    assert (pixels[490:510, 520:680] == 255).all(axis=(0, 2)).any()


def test_each_class_is_outlined_in_its_colour():
    mask = np.zeros((40, 40), np.uint8)
    mask[5:15, 5:15], mask[5:15, 25:35] = 1, 4
    panel = panel_of(40)
    draw_classes(panel, mask, None)
    pixels = drawn(panel)
    for index, columns in ((1, slice(80, 320)), (4, slice(480, 720))):
        assert near(pixels[:, columns], OKABE_ITO[index], 8).any()
    assert not near(pixels[:, 400:], OKABE_ITO[1], 8).any()


@pytest.mark.parametrize(("mpp", "text", "length"), [(0.25, "20 µm", 80), (None, "50 px", 50), (20.0, "1 mm", 50)])
def test_a_scale_bar_is_as_long_as_it_says(mpp, text, length):
    figure = Figure(figsize=(3, 3), dpi=100)
    panel = add_picture(figure, np.full((300, 300, 3), 128, np.uint8), Place(0, 0, 3, 3))
    draw_scale_bar(panel, 300, mpp)
    assert [one.get_text() for one in panel.texts] == [text]
    _, bar = panel.findobj(lambda artist: isinstance(artist, Rectangle) and artist is not panel.patch)
    assert bar.get_width() * 300 == pytest.approx(length)
    board = drawn(panel)[-40:, :120]
    assert (board == 255).all(axis=-1).any()


def test_pictures_are_reduced_and_never_enlarged():
    ids = np.arange(1000 * 500, dtype=np.int32).reshape(1000, 500)
    assert for_display(ids).shape == (720, 360)
    assert np.isin(for_display(ids), ids).all()
    assert for_display(ids[:700]) is not None and for_display(ids[:700]).shape == (700, 500)


def test_the_window_of_a_large_image_holds_most_foreground():
    truth = np.zeros((1000, 1200), np.uint8)
    truth[520:880, 710:990] = 1
    truth[0:900, 0:300] = 255
    rows, columns = window_of(truth)
    assert rows.stop - rows.start == columns.stop - columns.start == WINDOW_PX
    assert (truth[rows, columns] == 1).sum() == 360 * 280
    assert rows.start % STEP_PX == columns.start % STEP_PX == 0


def test_small_images_are_shown_whole_and_narrow_ones_in_all_their_width():
    small = np.ones((600, 600), np.uint8)
    assert is_whole(window_of(small), small) and whole(small) == window_of(small)
    narrow = np.ones((2000, 100), np.uint8)
    assert narrow[window_of(narrow)].shape == (WINDOW_PX, 100)


def test_figures_keep_their_own_style_outside():
    with house_style():
        pass
    assert TRUTH.around == "white" and PREDICTED.around == "black"
