"""The page and the picture of rounds: what was accepted is never shown as truth, and the kept round is marked."""

from pathlib import Path

import numpy as np

from histoloom.formats.images import write_image
from histoloom.report.figures.rounds import NOTE, RoundsRow, coloured, draw_rounds
from histoloom.report.overlays import class_colours
from histoloom.report.rounds_page import fold_rounds, most_accepted_first, rounds_page, spread
from histoloom.rounds.drift import DRIFT_COLUMNS
from histoloom.sample import IGNORE

TEMPLATE = Path(__file__).parents[2] / "workflow" / "report" / "rounds.html.j2"


def drift(name: str, *counts: int, iou: str) -> dict[str, str]:
    return dict(zip(DRIFT_COLUMNS, (name, *map(str, counts), iou), strict=True))


DRIFTS = {
    1: [drift("background", 9, 9, 9, 50, 40, 40, 0, 0, iou="1.0"), drift("a<b>", 2, 1, 1, 9, 8, 6, 2, 1, iou="0.5")]
}
HISTORIES = {0: [{"steps": "5"}, {"steps": "5"}], 1: [{"steps": "8"}, {"steps": "8"}, {"steps": "2"}]}
VERDICT = {"round": 1, "scores": [None, 0.25], "best": 1, "goes_on": False, "reason": "enough"}


def test_a_rounds_changes_are_summed_over_classes_and_its_agreement_is_their_mean():
    first, second = fold_rounds("0", VERDICT, DRIFTS, HISTORIES).lines
    assert (first.is_kept, first.score, first.agreement, set(first.changes.values())) == (False, None, None, {0})
    assert second.changes == {"accepted": 48, "added": 46, "changed": 2, "withdrawn": 1}
    assert (second.is_kept, second.agreement) == (True, 0.75)


def test_a_rounds_steps_are_those_of_its_first_epoch_and_of_all_of_them():
    assert [line.steps for line in fold_rounds("0", VERDICT, DRIFTS, HISTORIES).lines] == [(5, 10), (8, 18)]


def test_pictures_are_taken_at_even_distances():
    assert spread("abcdefg", 3) == ["a", "d", "g"]
    assert spread("ab", 3) == ["a", "b"]
    assert spread("abc", 1) == ["a"]


def test_pictures_begin_with_the_image_of_which_most_was_accepted(tmp_path):
    masks = {"a": [0, 1, 255, 255], "b": [129, 128, 255, 255], "c": [1, 1, 255, 255], "d": [129, 0, 255, 255]}
    for name, values in masks.items():
        write_image(tmp_path / f"{name}.png", np.array([values], np.uint8))
    assert most_accepted_first(list(masks), tmp_path) == ["b", "d", "c", "a"]


def test_a_class_that_nobody_drew_has_no_part_in_the_agreement():
    rows = [drift("background", 9, 9, 9, 50, 40, 40, 0, 0, iou="1.0"), drift("b", 0, 1, 0, 9, 8, 6, 2, 1, iou="")]
    assert fold_rounds("0", VERDICT, {1: rows}, HISTORIES).lines[1].agreement == 1.0


def test_the_page_says_what_accepted_pixels_are_and_escapes_names():
    folds = [fold_rounds("0", VERDICT, DRIFTS, HISTORIES)]
    page = " ".join(rounds_page(TEMPLATE, "x on y", [("confidence", "0.9")], folds, b"png", "alt").split())
    assert "Accepted pixels come from models and are not truth." in page
    assert "were never used to choose a round, an epoch or a model" in page
    assert "Ended after round 1: enough." in page
    assert '<th scope="row">0</th><td>undefined</td>' in page
    assert '<tr class="kept"><th scope="row">1, kept</th><td>0.2500</td><td>8</td><td>18</td><td>48</td>' in page
    assert "a&lt;b&gt;" in page
    assert "a<b>" not in page


def test_known_pixels_have_their_classes_colour_and_others_are_faded():
    image = np.full((1, 3, 3), 100, np.uint8)
    picture = coloured(image, np.array([[0, 1, IGNORE]], np.uint8))
    colour = class_colours(2)[1].astype(float)
    assert picture[0, 0].tolist() == [45] * 3  # 100 * 0.45 + 0 * 0.55
    assert picture[0, 1].tolist() == np.rint(100 * 0.45 + colour * 0.55).tolist()
    assert picture[0, 2].tolist() == [201] * 3  # 100 * 0.35 + 255 * 0.65 = 200.75


def test_each_image_has_a_panel_for_itself_for_people_and_for_each_round():
    mask = np.array([[0, 129], [128, IGNORE]], np.uint8)
    row = RoundsRow(
        "a", np.zeros((2, 2, 3), np.uint8), np.array([[0, IGNORE], [IGNORE, IGNORE]], np.uint8), [mask, mask]
    )
    figure = draw_rounds([row, row], ("background", "tumour"))
    assert len(figure.axes) == 2 * 4
    texts = [text.get_text() for text in figure.texts]
    assert " ".join(texts).startswith(NOTE)
    assert "round 2: accepted from models" in texts
