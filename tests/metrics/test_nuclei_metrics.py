"""Scores of nuclei equal the published definitions, written out slowly, and other libraries; the ends are as stated."""

import numpy as np
import pytest
import torch
from monai.metrics.panoptic_quality import compute_panoptic_quality
from scipy.ndimage import center_of_mass
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from histoloom import plugins
from histoloom.evaluate.counting.nuclei_counts import nuclei_counts
from histoloom.evaluate.scores import fact
from tests.evaluate.counting.drawn_nuclei import RADIUS_PX, count, discs, nuclei, predicted_of

UP = (
    *("pq", "dq", "sq", "aji", "aji_plus", "object_dice"),
    *("f1_50", "f1_75", "f1_90", "f1_range", "detection_f1", "class_f1"),
)
DOWN = ("merge_rate", "split_rate", "count_error")
SEEDS = range(3)


def score(name: str, truth: np.ndarray, predicted: np.ndarray) -> float:
    """One score of two maps, all nuclei as one class."""
    taken = fact(name)
    return float(plugins.load("metrics", name)(count(truth, predicted, taken)[taken][None])[0, 0])


def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return discs(seed), predicted_of(discs(seed), seed)


def masks(instances: np.ndarray) -> list[np.ndarray]:
    return [instances == number for number in np.unique(instances[instances > 0])]


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


def iou_table(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.array([[iou(true, other) for other in masks(predicted)] for true in masks(truth)])


def slow_aji(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Kumar et al. 2017, algorithm 1."""
    shared, union, used, others = 0, 0, set(), masks(predicted)
    for true in masks(truth):
        best = max(range(len(others)), key=lambda place: iou(true, others[place]))
        if not (true & others[best]).any():
            union += true.sum()
            continue
        shared += (true & others[best]).sum()
        union += (true | others[best]).sum()
        used.add(best)
    return shared / (union + sum(others[place].sum() for place in range(len(others)) if place not in used))


def slow_aji_plus(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Graham et al. 2019: Kumar's quotient over the one-to-one pairs of the greatest sum of IoU."""
    trues, others, table = masks(truth), masks(predicted), iou_table(truth, predicted)
    chosen = [(row, column) for row, column in zip(*linear_sum_assignment(-table), strict=True) if table[row, column]]
    shared = sum((trues[row] & others[column]).sum() for row, column in chosen)
    all_areas = (truth > 0).sum() + (predicted > 0).sum()
    return shared / (all_areas - shared)


def slow_object_dice(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Sirinukunwattana et al. 2017, equations 4 to 6."""

    def side(ones: list[np.ndarray], others: list[np.ndarray]) -> float:
        total = 0.0
        for one in ones:
            # They do not say which of two that overlap as much; the smaller has the higher Dice.
            best = max(others, key=lambda other: ((one & other).sum(), -other.sum()))
            dice = 2 * (one & best).sum() / (one.sum() + best.sum())
            total += one.sum() / sum(each.sum() for each in ones) * dice
        return total

    return (side(masks(truth), masks(predicted)) + side(masks(predicted), masks(truth))) / 2


def slow_f1(truth: np.ndarray, predicted: np.ndarray, at: float) -> float:
    table = iou_table(truth, predicted)
    reached = table > at if at == 0.5 else table >= at - 1e-9
    rows, columns = linear_sum_assignment(-reached.astype(float))
    return 2 * reached[rows, columns].sum() / sum(table.shape)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "definition"),
    [("aji", slow_aji), ("aji_plus", slow_aji_plus), ("object_dice", slow_object_dice)],
)
def test_a_score_of_areas_equals_its_published_definition(name, definition, seed):
    truth, predicted = made(seed)
    assert 0.2 < score(name, truth, predicted) < 1
    assert score(name, truth, predicted) == pytest.approx(definition(truth, predicted))


@pytest.mark.parametrize("seed", SEEDS)
def test_f1_at_thresholds_equals_the_best_assignment_at_each(seed):
    truth, predicted = made(seed)
    at = [slow_f1(truth, predicted, hundredths / 100) for hundredths in range(50, 100, 5)]
    assert score("f1_50", truth, predicted) == pytest.approx(at[0])
    assert score("f1_75", truth, predicted) == pytest.approx(at[5])
    assert score("f1_90", truth, predicted) == pytest.approx(at[8])
    assert score("f1_range", truth, predicted) == pytest.approx(np.mean(at))
    assert at[0] > at[5]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "theirs", "at"),
    [("pq", "pq", 0.5), ("dq", "rq", 0.5), ("sq", "sq", 0.5), ("f1_50", "rq", 0.5), ("f1_90", "rq", 0.8999999)],
)
def test_scores_by_iou_agree_with_monai(name, theirs, at, seed):
    truth, predicted = made(seed)
    maps = [torch.from_numpy(each.astype(np.int64)) for each in (predicted, truth)]
    expected = compute_panoptic_quality(*maps, metric_name=theirs, match_iou_threshold=at)
    assert score(name, truth, predicted) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_f1_by_centroid_equals_hovernets_formula_on_the_most_pairs_within_the_radius(seed):
    truth, predicted = made(seed)
    ids = [np.unique(each[each > 0]) for each in (truth, predicted)]
    places = [np.array(center_of_mass(each > 0, each, own)) for each, own in zip((truth, predicted), ids, strict=True)]
    true_class, predicted_class = ids[0] % 2 + 1, ids[1] % 3 % 2 + 1  # some agree, some do not
    distance = cdist(*places)
    rows, columns = linear_sum_assignment(np.where(distance <= RADIUS_PX, distance, 1e6))
    near = distance[rows, columns] <= RADIUS_PX
    rows, columns = rows[near], columns[near]
    mask = np.zeros(truth.shape, np.uint8)
    for number, name in zip(ids[0], true_class, strict=True):
        mask[truth == number] = name
    classes = dict(zip(ids[1].tolist(), predicted_class.tolist(), strict=True))
    facts = nuclei_counts(truth, mask, predicted, classes, 3, ["centroids"], RADIUS_PX, [])["centroids"][None]
    found = plugins.load("metrics", "class_f1")(facts)[0]
    unpaired_true, unpaired = np.delete(true_class, rows), np.delete(predicted_class, columns)
    for name in (1, 2):
        right = ((true_class[rows] == name) & (predicted_class[columns] == name)).sum()
        wrong = ((true_class[rows] == name) != (predicted_class[columns] == name)).sum()
        alone = (unpaired_true == name).sum() + (unpaired == name).sum()
        assert wrong > 0
        assert found[name] == pytest.approx(2 * right / (2 * right + 2 * wrong + alone))
    everything = 2 * len(rows) / (len(ids[0]) + len(ids[1]))
    assert found[0] == pytest.approx(everything)
    by_detection = plugins.load("metrics", "detection_f1")(facts)[0]
    assert by_detection[0] == pytest.approx(everything)
    right = ((true_class[rows] == 1) & (predicted_class[columns] == 1)).sum()
    assert by_detection[1] == pytest.approx(2 * right / ((true_class == 1).sum() + (predicted_class == 1).sum()))


@pytest.mark.parametrize("seed", SEEDS)
def test_errors_of_a_made_image_equal_what_was_done_to_it(seed):
    truth = discs(seed)
    ids = np.unique(truth[truth > 0])
    # Two neighbours become one, and one other is cut in the middle: nothing else is wrong.
    first, second, cut = ids[:3]
    predicted = np.where(truth == second, first, truth).astype(np.int32)
    rows = np.nonzero(truth == cut)[0]
    predicted[(truth == cut) & (np.indices(truth.shape)[0] > np.median(rows))] = 900
    assert score("merge_rate", truth, predicted) == pytest.approx(2 / len(ids))
    assert score("split_rate", truth, predicted) == pytest.approx(1 / len(ids))
    assert score("count_error", truth, predicted) == 0  # one less and one more


def test_the_count_error_is_by_how_many_the_count_is_off():
    truth = discs(0)
    ids = np.unique(truth[truth > 0])
    assert score("count_error", truth, np.where(np.isin(truth, ids[:7]), 0, truth).astype(np.int32)) == 7


@pytest.mark.parametrize("name", UP)
def test_the_truth_itself_scores_one(name):
    assert score(name, discs(2), discs(2)) == 1


@pytest.mark.parametrize("name", DOWN)
def test_the_truth_itself_has_no_error(name):
    assert score(name, discs(2), discs(2)) == 0


@pytest.mark.parametrize("name", [*UP, *DOWN])
def test_with_no_nucleus_at_all_a_score_is_undefined(name):
    assert np.isnan(score(name, nuclei([0, 0]), nuclei([0, 0])))
    assert np.isnan(score(name, np.zeros((0, 4), np.int32), np.zeros((0, 4), np.int32)))


@pytest.mark.parametrize("name", [name for name in UP if name != "sq"])
def test_with_nuclei_on_one_side_alone_a_score_is_zero(name):
    assert score(name, nuclei([0, 4]), nuclei([0, 0])) == 0
    assert score(name, nuclei([0, 0]), nuclei([0, 4])) == 0


def test_with_nuclei_on_one_side_alone_errors_are_as_stated():
    alone, none = nuclei([2, 0, 4]), nuclei([0, 0, 0])
    assert score("count_error", alone, none) == score("count_error", none, alone) == 2
    for name in ("merge_rate", "split_rate"):
        assert score(name, alone, none) == 0
        assert np.isnan(score(name, none, alone))


@pytest.mark.parametrize("name", UP)
@pytest.mark.parametrize("row", [[1], [1, 1, 2, 2], [1_000_000, 0, 17, 17, 0, 999_999]])
def test_one_pixel_touching_nuclei_and_any_ids_score_one_when_right(name, row):
    renamed = np.unique(np.array([row], np.int32), return_inverse=True)[1].astype(np.int32) + (0 not in row)
    assert score(name, nuclei(row), renamed.reshape(1, -1)) == 1
    assert score(name, renamed.reshape(1, -1), nuclei(row)) == 1


@pytest.mark.parametrize("name", [*(name for name in UP if name != "aji"), "count_error"])
@pytest.mark.parametrize("seed", range(2))
def test_scores_are_the_same_with_truth_and_prediction_exchanged(name, seed):
    truth, predicted = made(seed)
    assert score(name, truth, predicted) == pytest.approx(score(name, predicted, truth))


def test_aji_is_not_the_same_with_truth_and_prediction_exchanged():
    # Both true nuclei take the one prediction (2 of 4 each); the one true nucleus takes one of two (2 of 4, 2 left).
    both, one = nuclei([1, 1, 2, 2]), nuclei([5, 5, 5, 5])
    assert score("aji", both, one) == pytest.approx(4 / 8)
    assert score("aji", one, both) == pytest.approx(2 / 6)


@pytest.mark.parametrize("seed", SEEDS)
def test_f1_falls_with_the_threshold_and_begins_as_detection_quality(seed):
    truth, predicted = made(seed)
    falling = [score(name, truth, predicted) for name in ("f1_50", "f1_75", "f1_90")]
    assert falling == sorted(falling, reverse=True)
    assert score("f1_50", truth, predicted) == score("dq", truth, predicted)
    assert score("f1_90", truth, predicted) <= score("f1_range", truth, predicted) <= score("f1_50", truth, predicted)
