"""Figures: chosen by rule, true to the counts, legible, and the same bytes each time."""

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from histoloom.report.figures.confusion import draw_confusion, pixel_counts, row_shares
from histoloom.report.figures.curves import Curve, curve, draw_curves, mean_curve
from histoloom.report.figures.examples import (
    AGREEMENT_RGB,
    Choice,
    Example,
    agreement,
    choose,
    description,
    draw_examples,
    drawn_colours,
)
from histoloom.report.figures.style import save, save_tissue
from histoloom.report.overlays import class_colours

CLASSES = ("background", "tumour $a$", "stroma")


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
    return Example(Choice(rank, name, folds, 0.25), tile(height, width), truth, predicted)


def figures():
    curves = [curve(history([0.1, 0.4, 0.3], {1, 2})), curve(history([0.2, 0.3], {1}))]
    counts = np.array([[90.0, 5, 5], [2, 8, 0], [0, 0, 0]])
    return {
        "curves": draw_curves({"unet": curves, "a$b$": curves}),
        "confusion": draw_confusion(counts, CLASSES, "unet"),
        "examples": draw_examples(
            [example(), example("best", "x" * 200, 60, 30, folds=(0, 1))], CLASSES, "dice (mean)"
        ),
    }


def test_the_epoch_kept_is_the_last_one_marked_as_best():
    assert curve(history([0.1, 0.4, 0.3], {1, 2})).best == 2
    assert curve(history([0.1], set())).best is None


def test_an_empty_cell_of_the_history_is_a_gap():
    assert np.isnan(curve(history([0.1], {1})).val_loss).all()


def test_the_mean_over_folds_ends_with_the_shortest_fold():
    zeros = np.zeros(3)
    long = Curve(np.arange(1, 4), zeros, zeros, np.array([0.1, 0.2, 0.9]), 3)
    short = Curve(np.arange(1, 3), zeros[:2], zeros[:2], np.array([0.3, 0.4]), 2)
    assert mean_curve([long, short], "val_score") == pytest.approx([0.2, 0.3])


def pixels(name, fold, truth, predicted, value):
    cells = {"name": name, "fold": fold, "truth": truth, "predicted": predicted, "value": value}
    return {"kind": "pixels"} | {column: str(cell) for column, cell in cells.items()}


def test_pixel_counts_add_up_over_images_and_leave_pairs_out():
    rows = [pixels("a", 0, 1, 0, 3), pixels("b", 0, 1, 0, 4)]
    rows.append({"kind": "pairs", "name": "a", "fold": "0", "truth": "1", "predicted": "tp", "value": "9"})
    assert pixel_counts(rows, 2).tolist() == [[0, 0], [7, 0]]


def test_an_image_that_two_folds_tested_counts_once_in_the_confusion_matrix():
    # of a's 6 pixels fold 0 gets 6 right and fold 1 only 2; b, tested once, has 10 pixels, all right
    rows = [pixels("a", 0, 1, 1, 6), pixels("a", 0, 1, 0, 0), pixels("a", 1, 1, 1, 2), pixels("a", 1, 1, 0, 4)]
    rows += [pixels("b", 2, 1, 1, 10)]
    assert pixel_counts(rows, 2).tolist() == [[0, 0], [2, 14]]


def test_row_shares_sum_to_one_or_are_undefined():
    shares = row_shares(np.array([[1.0, 3, 0], [0, 0, 0], [5, 5, 0]]))
    assert shares[[0, 2]].sum(axis=1) == pytest.approx([1, 1])
    assert np.isnan(shares[1]).all()


def test_examples_are_chosen_by_score_then_name():
    scores = [("d", 0, 0.5), ("b", 1, 0.1), ("a", 0, 0.1), ("e", 0, 0.9), ("c", 2, 0.3), ("f", 0, float("nan"))]
    assert [(c.rank, c.name) for c in choose(scores, 1)] == [("worst", "a"), ("median", "c"), ("best", "e")]


def test_an_image_that_two_folds_tested_is_chosen_once_by_its_mean_and_drawn_from_the_first():
    scores = [("a", 1, 0.25), ("b", 2, 0.3), ("a", 0, 0.75), ("c", 2, 0.625), ("d", 0, float("nan")), ("d", 1, 0.7)]
    chosen = [Choice("worst", "b", (2,), 0.3), Choice("median", "a", (0, 1), 0.5), Choice("best", "d", (1,), 0.7)]
    assert choose(scores, 1) == chosen
    assert chosen[1].fold == 0
    assert description(chosen[1:2], "dice") == "median: a, dice 0.500 (mean of folds 0, 1; fold 0 drawn)"
    titles = [text.get_text() for text in draw_examples([example(folds=(0, 1))], CLASSES, "dice").texts]
    assert any("mean of folds 0, 1; fold 0 drawn" in title for title in titles)


def test_no_image_is_shown_twice_where_there_are_few():
    chosen = choose([("a", 0, 0.1), ("b", 0, 0.2)], 3)
    assert [(c.rank, c.name) for c in chosen] == [("worst", "a"), ("worst", "b")]
    assert choose([("a", 0, float("nan"))], 2) == []


def test_agreement_tells_the_five_cases():
    truth = np.array([[0, 1, 2, 0, 1, 255]], np.uint8)
    predicted = np.array([[0, 1, 0, 2, 2, 2]], np.uint8)
    assert agreement(truth, predicted).tolist() == [[0, 1, 2, 3, 4, 5]]


def test_the_text_alternative_names_image_fold_and_score():
    assert description([Choice("worst", "a", (2,), 0.125)], "dice") == "worst: a, dice 0.125 (fold 2)"


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


def test_the_examples_keep_class_and_agreement_colours_exactly(tmp_path):
    save_tissue(figures()["examples"], tmp_path / "e.png", drawn_colours(3), "worst: a")
    with Image.open(tmp_path / "e.png") as opened:
        assert opened.info["Description"] == "worst: a"
        assert opened.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        seen = {
            tuple(int(v) for v in colour)
            for colour in np.unique(np.asarray(opened.convert("RGB")).reshape(-1, 3), axis=0)
        }
    wanted = [*class_colours(3)[1:], *AGREEMENT_RGB[1:]]  # no pixel of these examples is a hit
    assert {tuple(int(v) for v in colour) for colour in wanted} <= seen
