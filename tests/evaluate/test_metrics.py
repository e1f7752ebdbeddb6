"""Every metric keeps its contract; the known ones agree with hand counts and with MONAI and torch."""

import doctest
import importlib

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_iou
from monai.networks.utils import one_hot

from histoloom import plugins
from histoloom.evaluate.counting.confusion import confusion_matrix
from histoloom.evaluate.counting.facts import CONFUSION, FACTS, PAIRS, shape
from histoloom.evaluate.direction import is_lower_better
from histoloom.evaluate.scores import definition, fact

METRICS = plugins.names("metrics")
OF_PIXELS = [name for name in METRICS if fact(name) == CONFUSION]
OF_NUCLEI = [name for name in METRICS if fact(name) == PAIRS and not is_lower_better(name)]
# The others reach below zero: chance-corrected scores, and those by the spread of truth.
WITHIN_ONE = [name for name in OF_PIXELS if name not in ("mcc", "kappa", "r2")]
NAN = np.nan

# Truth has 6, 6 and 0 pixels, prediction 7, 4 and 1: class 2 is predicted but absent.
ABSENT = np.array([[[5, 1, 0], [2, 3, 1], [0, 0, 0]]])


def random_confusion(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 50, (4, 3, 3))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_defines_itself_with_range_and_rule_for_nan(name):
    first_line = plugins.load("metrics", name).__doc__.splitlines()[0]
    assert first_line.endswith(".")
    assert "NaN where" in first_line
    assert definition(name) == first_line[:-1]
    assert "Source:" in plugins.load("metrics", name).__doc__


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_takes_one_stored_fact(name):
    assert fact(name) in FACTS


@pytest.mark.parametrize("name", METRICS)
def test_the_example_in_the_docstring_is_right(name):
    module = importlib.import_module(f"histoloom.metrics.{name}")
    function = getattr(module, name)
    example = doctest.DocTestParser().get_doctest(function.__doc__, {**vars(module)}, name, module.__file__, 0)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("name", OF_PIXELS)
def test_a_perfect_mask_scores_one(name):
    assert (plugins.load("metrics", name)(np.array([[[7, 0], [0, 3]]])) == 1).all()


@pytest.mark.parametrize("name", OF_NUCLEI)
def test_perfect_nuclei_score_one(name):
    assert plugins.load("metrics", name)(np.array([[[6.0, 0, 0, 6.0]]])).tolist() == [[1.0]]


@pytest.mark.parametrize("name", METRICS)
def test_nothing_at_all_is_undefined(name):
    kind = np.int64 if fact(name) in (CONFUSION, "probabilities") else np.float64
    empty = np.nan if fact(name) == "hausdorff" else 0
    scores = plugins.load("metrics", name)(np.full((2, *shape(fact(name), 3, 1)), empty).astype(kind))
    assert np.isnan(scores).all()


@pytest.mark.parametrize("name", OF_PIXELS)
def test_renumbering_classes_renumbers_scores(name):
    metric, confusion, order = plugins.load("metrics", name), random_confusion(1), [2, 0, 1]
    scores, renumbered = metric(confusion), metric(confusion[:, order][:, :, order])
    expected = scores[:, order] if scores.shape[1] == 3 else scores
    np.testing.assert_allclose(renumbered, expected, rtol=1e-12)  # a sum over classes may be taken in another order


@pytest.mark.parametrize("name", WITHIN_ONE)
def test_scores_stay_between_zero_and_one(name):
    scores = plugins.load("metrics", name)(random_confusion(2))
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dice", [10 / 13, 6 / 10, 0]),
        ("iou", [5 / 8, 3 / 7, 0]),
        ("precision", [5 / 7, 3 / 4, 0]),
        ("recall", [5 / 6, 3 / 6, 0]),
        ("accuracy", [8 / 12]),
    ],
)
def test_pixel_metrics_equal_hand_counts_and_a_class_only_predicted_scores_zero(name, expected):
    np.testing.assert_allclose(plugins.load("metrics", name)(ABSENT), [expected])


@pytest.mark.parametrize("name", ["dice", "iou", "precision", "recall"])
def test_a_missed_class_scores_zero_and_an_absent_one_is_undefined(name):
    confusion = np.array([[[4, 0, 0], [2, 0, 0], [0, 0, 0]]])
    np.testing.assert_array_equal(plugins.load("metrics", name)(confusion)[0, 1:], [0, NAN])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("pq", [1.8 / 4, NAN, 0, 0]), ("dq", [2 / 4, NAN, 0, 0]), ("sq", [0.9, NAN, NAN, NAN])],
)
def test_nucleus_metrics_equal_hand_counts(name, expected):
    pairs = np.array([[[2, 1, 3, 1.8], [0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0]]])
    np.testing.assert_allclose(plugins.load("metrics", name)(pairs), [expected])


def test_panoptic_quality_is_detection_times_segmentation():
    pairs = np.random.default_rng(3).integers(1, 20, (5, 2, 4)).astype(np.float64)
    pq, dq, sq = (plugins.load("metrics", name)(pairs) for name in ("pq", "dq", "sq"))
    np.testing.assert_allclose(pq, dq * sq)


@pytest.mark.parametrize(("name", "oracle"), [("dice", compute_dice), ("iou", compute_iou)])
def test_overlap_agrees_with_monai(name, oracle):
    truth, predicted = np.random.default_rng(4).integers(0, 3, (2, 3, 16, 16)).astype(np.uint8)
    confusion = np.stack([confusion_matrix(t, p, 3) for t, p in zip(truth, predicted, strict=True)])
    maps = [one_hot(torch.from_numpy(maps)[:, None].long(), 3) for maps in (predicted, truth)]
    np.testing.assert_allclose(plugins.load("metrics", name)(confusion), oracle(*maps).numpy(), rtol=1e-6)


def test_accuracy_agrees_with_torch():
    truth, predicted = torch.randint(0, 3, (2, 16, 16), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    confusion = confusion_matrix(truth.numpy(), predicted.numpy(), 3)[None]
    assert plugins.load("metrics", "accuracy")(confusion).item() == (truth == predicted).double().mean().item()
