"""The contact sheet shows the same pixels with each model's outlines, its own score below."""

import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.text import Text

from histoloom.report.examples.choice import Choice
from histoloom.report.figures.examples import Outlined
from histoloom.report.figures.models_sheet import Compared, description, draw_models_sheet, table_rows

CLASSES = ("background", "tumour $a$", "stroma 腺")


def mask(first=5, value=1, shape=(40, 60)):
    found = np.zeros(shape, np.uint8)
    found[first : first + 15, 5:20] = value
    return found


def compared(name="a", models=("unet", "fpn"), scores=(0.5, float("nan")), shape=(40, 60), **truth):
    image = np.random.default_rng(0).integers(150, 250, (*shape, 3), dtype=np.uint8)
    predicted = {model: Outlined(mask(5 + place, 2, shape)) for place, model in enumerate(models)}
    by_model = dict(zip(models, scores, strict=True))
    return Compared(Choice("worst", name, (0,), 0.5), image, Outlined(mask(shape=shape), **truth), predicted, by_model)


def words(figure):
    return [text.get_text() for text in figure.texts]


def test_there_is_one_panel_for_image_truth_and_each_model():
    one = compared()
    figure = draw_models_sheet([one], CLASSES, "dice (mean)", "unet", "the rule")
    pictures = [np.asarray(picture.get_array()) for picture in figure.findobj(AxesImage)]
    assert len(pictures) == 4
    assert all((picture == one.image).all() for picture in pictures)
    assert [len(panel.collections) > 0 for panel in figure.axes] == [False, True, True, True]


def test_each_models_score_stands_below_it_and_the_leader_is_bold():
    figure = draw_models_sheet([compared()], CLASSES, "dice (mean)", "unet", "the rule")
    shown = words(figure)
    assert shown[0] == "the rule"
    assert shown[shown.index("unet") + 1] == "dice (mean) 0.500"
    assert shown[shown.index("fpn") + 1] == "dice (mean) undefined"
    weights = {text.get_text(): text.get_weight() for text in figure.texts}
    assert weights["unet"] == "bold" and weights["fpn"] == "normal"


def test_captions_lie_below_their_panels():
    figure = draw_models_sheet([compared()], CLASSES, "dice (mean)", "unet", "")
    places = {text.get_text(): text.get_position() for text in figure.texts}
    for name, panel in zip(("image", "truth", "unet", "fpn"), figure.axes, strict=True):
        box = panel.get_position()
        assert places[name][0] == pytest.approx(box.x0)
        assert box.y0 - 0.1 < places[name][1] < box.y0


@pytest.mark.parametrize("models", [1, 4, 11])
def test_many_models_take_several_lines_and_all_text_stays_inside(models):
    names = [f"model_{number}_with_a_name_of_forty_letters_or_so" for number in range(models)]
    made = [compared(name, names, [0.5] * models, shape) for name, shape in (("a" * 99, (40, 60)), ("b", (90, 30)))]
    figure = draw_models_sheet(made, CLASSES, "dice (foreground)", names[0], "a rule in many words " * 12)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    assert width <= 12.1
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 8
    tops = {round(panel.get_position().y1, 6) for panel in figure.axes}
    assert len(tops) == 2 * -(-(models + 2) // 6)
    boxes = [panel.get_position() for panel in figure.axes]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_of_a_large_image_with_nuclei_a_window_is_shown_and_the_rule_says_so():
    truth = np.zeros((700, 900), np.int32)
    truth[5:20, 5:20] = 1
    figure = draw_models_sheet([compared(shape=(700, 900), nuclei=truth)], CLASSES, "pq (mean)", "unet", "rule")
    shapes = [np.asarray(picture.get_array()).shape[:2] for picture in figure.findobj(AxesImage)]
    assert shapes == [(560, 720), (400, 400), (400, 400), (400, 400)]
    assert words(figure)[0] == "rule; framed: the part with most foreground, which is outlined"


def test_words_and_table_name_every_model():
    one = compared()
    assert description([one], "dice (mean)") == "worst: a (dice (mean)): unet 0.500, fpn undefined"
    assert table_rows([one], "dice (mean)") == [
        ("worst", "a", "unet", "dice (mean)", "0.5"),
        ("worst", "a", "fpn", "dice (mean)", ""),
    ]
