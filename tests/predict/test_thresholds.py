"""Options are chosen on the validation images by a rule, on cases made so that the best is known."""

import numpy as np
import pytest

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.plugins import names
from histoloom.predict.thresholds import (
    KIND,
    Thresholds,
    best_combination,
    candidates,
    coarser,
    configured_options,
    decided,
    read_thresholds,
)
from histoloom.predict.tuning import ValidationImage, count_pairs, pooled_scores
from tests.predict.tuning_case import PREDICTED, TRUTH, as_bytes, square

CONFIGURED = {"foreground": 0.5, "min_distance_px": 6, "min_area_px": 30}


def image(mask=None):
    return ValidationImage(as_bytes(PREDICTED), None, (TRUTH > 0).astype(np.uint8) if mask is None else mask, TRUTH)


def counting(postprocess):
    """A post-processing and the list of options that it was called with."""
    calls = []

    def counted(probabilities, maps, **options):
        calls.append(options)
        return postprocess(probabilities, maps, **options)

    return counted, calls


def above(probabilities, maps, *, foreground):
    """One nucleus for each of the two predicted places, where they are above the threshold."""
    is_foreground = probabilities[..., 1] >= 255 * foreground
    return np.where(is_foreground, np.where(square(25, 25, 15), 2, 1), 0).astype(np.int32)


def test_combinations_come_in_the_order_of_names_with_the_area_last():
    tried = {"min_area_px": [9, 1], "min_distance_px": [6], "foreground": [0.6, 0.4]}
    found = [tuple(each.values()) for each in candidates(CONFIGURED, tried)]
    assert found == [(0.6, 6, 9), (0.6, 6, 1), (0.4, 6, 9), (0.4, 6, 1)]


def test_nothing_tried_leaves_the_configured_options():
    assert candidates(CONFIGURED, {}) == [CONFIGURED]


@pytest.mark.parametrize(
    ("tried", "message"),
    [
        ({"foregruond": [0.5]}, r"predict.tune: unknown option 'foregruond'; did you mean 'foreground'\?"),
        ({"foreground": 0.5}, r"predict.tune: foreground is 0.5; expected a list of values"),
        ({"foreground": []}, r"predict.tune: foreground is \[\]; expected a list of values"),
        ({"min_distance_px": [2.5]}, r"predict.tune: min_distance_px is 2.5; expected a value of type int"),
        ({"foreground": ["high"]}, r"predict.tune: foreground is 'high'; expected a value of type float"),
        ({"foreground": [True]}, r"predict.tune: foreground is True; expected a value of type float"),
    ],
)
def test_what_cannot_be_tried_is_named(tried, message):
    with pytest.raises(InputError, match=message):
        candidates(CONFIGURED, tried)


def test_options_that_are_not_configured_have_their_defaults():
    assert configured_options("watershed", {"foreground": 1}, 30) == {**CONFIGURED, "foreground": 1}
    with pytest.raises(InputError, match=r"predict.method_options: unknown option 'edge'"):
        configured_options("watershed", {"edge": 0.4}, 30)


@pytest.mark.parametrize("method", names("postprocessors"))
def test_every_option_of_every_method_has_a_default(method):
    options = configured_options(method, {}, 30)
    assert "foreground" in options
    assert all(type(value) in (int, float) for value in options.values())


def test_of_equal_scores_the_configured_options_win_else_the_first():
    combinations = candidates(CONFIGURED, {"foreground": [0.4, 0.5, 0.6]})
    assert best_combination(np.array([0.7, 0.7, 0.7]), combinations, CONFIGURED) == 1
    assert best_combination(np.array([0.7, 0.6, 0.7]), combinations, CONFIGURED) == 0
    assert best_combination(np.array([np.nan, 0.0, 0.1]), combinations, CONFIGURED) == 2


def test_counts_are_those_worked_out_by_hand():
    tried = candidates({"foreground": 0.5, "min_area_px": 0}, {"foreground": [0.4, 0.6, 0.8], "min_area_px": [0, 5]})
    counts = count_pairs(image(), tried, above)
    iou = 100 / 196
    assert counts == pytest.approx(
        np.array([[1, 1, 0, iou], [1, 0, 0, iou], [1, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0]])
    )
    # PQ is the sum of IoU over TP + FP / 2 + FN / 2.
    assert pooled_scores("pq", counts) == pytest.approx([iou / 1.5, iou, 1 / 1.5, 1, 0, 0])
    assert pooled_scores("dq", counts) == pytest.approx([1 / 1.5, 1, 1 / 1.5, 1, 0, 0])


def test_each_threshold_is_post_processed_once_for_all_areas():
    counted, calls = counting(above)
    tried = {"min_area_px": [0, 5, 30], "foreground": [0.4, 0.6]}
    count_pairs(image(), candidates({"foreground": 0.5, "min_area_px": 0}, tried), counted)
    assert calls == [{"foreground": 0.4}, {"foreground": 0.6}]


def test_what_nobody_annotated_does_not_count():
    mask = np.where(square(25, 25, 15), 255, TRUTH > 0).astype(np.uint8)
    assert count_pairs(image(mask), [{"foreground": 0.6, "min_area_px": 0}], above).tolist() == [[1, 0, 0, 1]]


def test_without_a_true_nucleus_nothing_is_tuned():
    counts = np.array([[0.0, 3, 0, 0], [0, 0, 0, 0]])
    combinations = candidates(CONFIGURED, {"foreground": [0.4, 0.6]})
    scores = pooled_scores("pq", counts)
    found = decided("watershed", "pq", scores, combinations, CONFIGURED, 4)
    assert (found.tuned, found.options["foreground"], found.score) == (False, 0.5, None)
    assert found.reason == "pq is undefined on the validation images"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"method": "watershed"}'])
def test_damaged_thresholds_are_named(tmp_path, text):
    (tmp_path / "postprocess.json").write_text(text)
    with pytest.raises(InputError, match=r"postprocess\.json: .*; expected what tune_postprocess\.py wrote"):
        read_thresholds(tmp_path / "postprocess.json", "watershed")


@pytest.mark.parametrize(
    ("downsample", "options", "min_area_px"),
    [
        (1, {"foreground": 0.4, "min_distance_px": 6, "kernel_px": 21, "min_marker_px": 40}, 30),
        (3, {"foreground": 0.4, "min_distance_px": 2, "kernel_px": 7, "min_marker_px": 4}, 3),
        (16, {"foreground": 0.4, "min_distance_px": 1, "kernel_px": 3, "min_marker_px": 0}, 0),
    ],
)
def test_a_coarser_grid_has_shorter_lengths_and_smaller_areas(downsample, options, min_area_px):
    native = {"foreground": 0.4, "min_distance_px": 6, "kernel_px": 21, "min_marker_px": 40}
    found = coarser(Thresholds("hover", native, 30, True, "pq", 0.5, 3, "because"), downsample)
    assert found == Thresholds("hover", options, min_area_px, True, "pq", 0.5, 3, "because")


def test_every_option_in_pixels_is_known_to_be_an_area_or_a_length():
    """One that is new has to be sorted into one of the three, or a slide at another resolution would get it wrong."""
    found = {name for kind in plugins.names(KIND) for name in plugins.options(KIND, kind) if name.endswith("_px")}
    assert found == {"min_distance_px", "kernel_px", "min_marker_px"}
