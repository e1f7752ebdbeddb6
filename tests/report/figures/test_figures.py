"""Figures: chosen by rule, true to the counts, legible, and the same bytes each time."""

import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.text import Text
from PIL import Image

from histoloom.report.examples.choice import Choice
from histoloom.report.figures.confusion import draw_confusion, pixel_counts, row_shares
from histoloom.report.figures.curves import Curve, curve, draw_curves, spread
from histoloom.report.figures.examples import Example, Outlined, draw_examples, drawn_colours
from histoloom.report.figures.style import save, save_tissue
from histoloom.report.overlays import class_colours

CLASSES = ("background", "tumour $a$", "stroma 腺")


def history(scores, best):
    return [
        {"epoch": str(n), "train_loss": "0.5", "val_loss": "", "val_score": str(score), "best": str(int(n in best))}
        for n, score in enumerate(scores, start=1)
    ]


def tile(height=40, width=60):
    rng = np.random.default_rng(0)
    return rng.normal((225, 160, 200), 12, (height, width, 3)).clip(0, 255).astype(np.uint8)


def example(rank="worst", name="a_1", height=40, width=60, folds=(0,)):
    truth = np.zeros((height, width), np.uint8)
    truth[5:20, 5:20] = 1
    truth[:, -5:] = 255
    predicted = np.zeros_like(truth)
    predicted[10:30, 5:20] = 2
    return Example(Choice(rank, name, folds, 0.25), tile(height, width), Outlined(truth), Outlined(predicted), 0.25)


def words(figure):
    return [text.get_text() for text in figure.texts]


def box(points):
    return (*points.min(axis=0), *points.max(axis=0))


def figures():
    curves = [curve(history([0.1, 0.4, 0.3], {1, 2})), curve(history([0.2, 0.3], {1}))]
    counts = np.array([[90.0, 5, 5], [2, 8, 0], [0, 0, 0]])
    return {
        "curves": draw_curves({"unet": curves, "a$b$": curves}),
        "confusion": draw_confusion(counts, CLASSES, "unet"),
        "examples": draw_examples(
            [example(), example("best", "x" * 200, 60, 30, folds=(0, 1))], CLASSES, "dice (mean)", "many words " * 30
        ),
    }


def test_the_epoch_kept_is_the_last_one_marked_as_best():
    assert curve(history([0.1, 0.4, 0.3], {1, 2})).best == 2
    assert curve(history([0.1], set())).best is None


def test_an_empty_cell_of_the_history_is_a_gap():
    assert np.isnan(curve(history([0.1], {1})).val_loss).all()


def folds():
    zeros = np.zeros(3)
    long = Curve(np.arange(1, 4), zeros, zeros, np.array([0.1, 0.2, 0.9]), 3)
    short = Curve(np.arange(1, 3), zeros[:2], zeros[:2], np.array([0.3, 0.4]), 2)
    return [long, short]


def test_the_spread_over_folds_ends_with_the_shortest_fold():
    assert spread(folds(), "val_score") == pytest.approx(np.array([[0.2, 0.3], [0.1, 0.2], [0.3, 0.4]]))


def test_the_band_reaches_from_the_least_to_the_most_fold():
    score = draw_curves({"unet": folds()}).axes[1]
    (band,) = score.collections
    assert box(band.get_paths()[0].vertices) == pytest.approx((1, 0.1, 2, 0.4))
    assert [len(line.get_xdata()) for line in score.lines if line.get_marker() == "D"] == [1, 1]
    drawn = [(line.get_linewidth(), line.get_ydata()[-1]) for line in score.lines if line.get_marker() != "D"]
    assert drawn == [(0.7, 0.9), (0.7, 0.4), (2.2, pytest.approx(0.3))]


def test_a_single_fold_has_no_band_and_the_legend_speaks_of_none():
    figure = draw_curves({"unet": folds()[:1]})
    assert not figure.axes[1].collections
    (legend,) = figure.legends
    assert not any("fold" in text.get_text() for text in legend.get_texts())


def test_pixel_counts_add_up_over_images():
    confusion = np.array([[[0, 0], [3, 0]], [[1, 0], [4, 0]]])
    assert pixel_counts(["a", "b"], confusion).tolist() == [[1, 0], [7, 0]]


def test_an_image_that_two_folds_tested_counts_once_in_the_confusion_matrix():
    # of a's 6 pixels fold 0 gets 6 right and fold 1 only 2; b, tested once, has 10 pixels, all right
    confusion = np.array([[[0, 0], [0, 6]], [[0, 0], [0, 10]], [[0, 0], [4, 2]]])
    assert pixel_counts(["a", "b", "a"], confusion).tolist() == [[0, 0], [2, 14]]


def test_row_shares_sum_to_one_or_are_undefined():
    shares = row_shares(np.array([[1.0, 3, 0], [0, 0, 0], [5, 5, 0]]))
    assert shares[[0, 2]].sum(axis=1) == pytest.approx([1, 1])
    assert np.isnan(shares[1]).all()


def test_an_example_says_which_fold_is_drawn():
    titles = words(draw_examples([example(folds=(0, 1))], CLASSES, "dice", "rule"))
    assert titles[0] == "rule"
    assert "worst:  dice 0.250,  a_1,  mean of folds 0, 1; fold 0 drawn" in titles


def test_an_example_is_image_truth_prediction_and_both_over_the_same_pixels():
    one = example()
    figure = draw_examples([one], CLASSES, "dice", "")
    pictures = [np.asarray(picture.get_array()) for picture in figure.findobj(AxesImage)]
    assert len(pictures) == 4
    assert (pictures[0] == one.image).all() and (pictures[2] == one.image).all()
    annotated = one.truth.mask != 255
    for hatched in pictures[1], pictures[3]:
        assert (hatched[annotated] == one.image[annotated]).all()
        assert (hatched[~annotated] == 128).all(axis=-1).any()


def test_the_outlines_of_an_example_are_those_of_its_regions():
    figure = draw_examples([example()], CLASSES, "dice", "")
    boxes = []
    for panel in figure.axes:
        points = [path.vertices for made in panel.collections for path in made.get_paths()]
        boxes.append(set(map(tuple, (box(part) for part in points))))
    truth, predicted = (4.5, 4.5, 19.5, 19.5), (4.5, 9.5, 19.5, 29.5)
    assert boxes == [set(), {truth}, {predicted}, {truth, predicted}]


def test_nuclei_of_an_example_are_outlined_one_by_one():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 10:30] = 1
    nuclei = np.zeros((40, 60), np.int32)
    nuclei[10:20, 10:20], nuclei[10:20, 20:30] = 3, 7
    one = Example(example().choice, tile(), Outlined(mask, nuclei), Outlined(mask, nuclei), 0.5)
    figure = draw_examples([one], CLASSES, "dice", "")
    lines, _ = figure.axes[1].collections[:2]
    assert len(lines.get_paths()) == 2
    assert "nuclei by class" in [legend.get_title().get_text() for legend in figure.legends]


def test_of_a_large_image_with_nuclei_the_part_with_most_foreground_is_outlined():
    mask = np.zeros((800, 1000), np.uint8)
    mask[300:500, 500:700] = 1
    one = Example(example().choice, tile(800, 1000), Outlined(mask, mask.astype(np.int32)), Outlined(mask), None)
    figure = draw_examples([one], CLASSES, "dice", "rule")
    shapes = [np.asarray(picture.get_array()).shape[:2] for picture in figure.findobj(AxesImage)]
    assert shapes == [(576, 720), (400, 400), (400, 400), (400, 400)]
    assert words(figure)[0].endswith("framed: the part with most foreground, which is outlined")
    whole = Example(one.choice, one.image, Outlined(mask), Outlined(mask))
    shapes = [np.asarray(p.get_array()).shape[:2] for p in draw_examples([whole], CLASSES, "d", "").findobj(AxesImage)]
    assert shapes == [(576, 720)] * 4


@pytest.mark.parametrize("name", ["curves", "confusion", "examples"])
def test_all_text_is_inside_the_figure_and_at_least_eight_points(name):
    figure = figures()[name]
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()  # in inches; leaves out tick labels beyond their axis, which are not drawn
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert sizes and min(sizes) >= 8


@pytest.mark.parametrize("name", ["curves", "examples"])
def test_each_figure_explains_its_colours(name):
    assert figures()[name].legends


def test_equal_input_gives_equal_bytes(tmp_path):
    for run in ("first", "second"):
        save(figures()["curves"], tmp_path / f"{run}.png")
        save_tissue(figures()["examples"], tmp_path / f"{run}_tissue.png", drawn_colours(3), "worst: a")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    assert (tmp_path / "first_tissue.png").read_bytes() == (tmp_path / "second_tissue.png").read_bytes()


def test_the_examples_keep_class_colours_exactly(tmp_path):
    save_tissue(figures()["examples"], tmp_path / "e.png", drawn_colours(3), "worst: a")
    with Image.open(tmp_path / "e.png") as opened:
        seen = {
            tuple(map(int, colour)) for colour in np.unique(np.asarray(opened.convert("RGB")).reshape(-1, 3), axis=0)
        }
    assert {tuple(map(int, colour)) for colour in class_colours(3)[1:]} <= seen
