"""What a study found: the best trial, its gain with an interval, and what mattered."""

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.tune.choice import best_of, ended, importances, table
from histoloom.tune.gain import by_group, gain_of, gain_rows
from histoloom.tune.trials import Search, confusions_of
from tests.tune.fake_study import EPOCHS, SEARCHES, SPACE, opened, run_study

DICE = ("dice", "foreground")


@pytest.fixture
def trials(tmp_path):
    """Of 14 trials, some of which ended early."""
    run_study(tmp_path, SEARCHES["tpe"], 14)
    return opened(tmp_path, SEARCHES["tpe"]).all()


def test_the_best_is_the_scored_trial_of_the_highest_score_and_of_equal_ones_the_first(trials):
    scores = {each.number: each.value for each in trials if each.state.name == "COMPLETE"}
    found = best_of(trials, "journal.log")
    assert found.best.number == max(scores, key=scores.get)
    assert found.facts()["default_score"] == scores[0]
    assert best_of([*trials, found.best], "journal.log").best.number == found.best.number


def test_more_trials_that_find_nothing_better_change_nothing_that_is_handed_on(trials):
    found = best_of(trials, "journal.log")
    worse = [each for each in trials if each.state.name != "COMPLETE" or each.value < found.best.value]
    assert worse
    assert best_of([*trials, *worse], "journal.log").facts() == found.facts()


def test_a_study_without_any_score_is_told(tmp_path):
    study = opened(tmp_path, SEARCHES["tpe"])
    study.fail(study.begin(0, 2), "diverged in epoch 1", 2.0)
    with pytest.raises(InputError, match="none of 1 trials has a score"):
        best_of(study.all(), "journal.log")
    rows = table(study.all(), sorted(SPACE))
    assert rows[0]["state"] == "failed"
    assert rows[0]["score"] is None


def test_a_study_in_which_nothing_but_the_configs_own_values_could_be_trained_is_told(tmp_path):
    study = opened(tmp_path, SEARCHES["random"])
    study.score(study.begin(0, 4), 0.5, 1.0)
    assert best_of(study.all(), "journal.log").best.number == 0
    for _ in range(2):
        study.fail(study.begin(0, 4), "train.optimiser_options: momentum=0.9; expected options of adam", 1.0)
    with pytest.raises(
        InputError, match=r"no trial of other values .* has a score \(2 failed\);\ntrial 1: train.optimiser"
    ):
        best_of(study.all(), "journal.log")
    study.score(study.begin(0, 4), 0.4, 1.0)
    assert best_of(study.all(), "journal.log").best.number == 0


def test_trials_that_have_not_ended_are_told(tmp_path):
    study = opened(tmp_path, SEARCHES["tpe"])
    study.begin(0, 2)
    with pytest.raises(InputError, match="0 of 2 trials have ended"):
        ended(study.all(), 2, "journal.log")


def test_a_lower_number_of_trials_counts_the_first_ones(trials):
    assert [each.number for each in ended(trials, 5, "journal.log")] == list(range(5))


def test_the_value_that_decides_the_score_matters_most(tmp_path):
    search = Search(0, EPOCHS, "random", {}, "none")
    run_study(tmp_path, search, 40)
    found = importances(opened(tmp_path, search).all())
    assert sum(found.values()) == pytest.approx(1)
    assert found["train.patience"] == min(found.values())  # which the score knows nothing of
    assert importances(opened(tmp_path, search).all()[:9]) == {}


def confusion(hit: int, missed: int) -> np.ndarray:
    """100 pixels of background found, and those of a nucleus: dice is 2 hit / (2 hit + missed)."""
    return np.array([[100, 0], [missed, hit]])


def test_the_gain_is_of_the_pooled_pixels_and_its_interval_of_groups_drawn_alike():
    groups = ["a", "b", "c"]
    best = np.stack([confusion(8, 2), confusion(8, 2), confusion(8, 2)])
    default = np.stack([confusion(5, 5), confusion(5, 5), confusion(5, 5)])
    rows = gain_rows((3, best), (0, default), DICE, groups, 200, np.random.default_rng(0))
    found = {row["what"]: row for row in rows}
    assert found["best"]["score"] == pytest.approx(16 / 18)
    assert found["default"]["score"] == pytest.approx(10 / 15)
    # Groups that are all alike leave nothing open.
    for name, value in (("best", 16 / 18), ("default", 10 / 15), ("difference", 16 / 18 - 10 / 15)):
        assert (found[name]["low"], found[name]["high"]) == (pytest.approx(value), pytest.approx(value))


def test_groups_that_differ_widen_the_interval_of_the_scores_but_not_of_an_equal_gain():
    groups = ["a", "b"]
    best = np.stack([confusion(9, 1), confusion(3, 7)])
    rows = gain_rows((3, best), (0, best.copy()), DICE, groups, 500, np.random.default_rng(0))
    found = {row["what"]: row for row in rows}
    # Both groups, or one of them twice: 2*9/(18+1), 2*12/(24+8), 2*3/(6+7).
    assert (found["best"]["low"], found["best"]["high"]) == (pytest.approx(6 / 13), pytest.approx(18 / 19))
    assert (found["difference"]["low"], found["difference"]["high"]) == (0, 0)


def test_one_group_gives_no_interval_and_no_default_no_difference():
    rows = gain_rows((3, confusion(9, 1)[None]), None, DICE, ["a"], 100, np.random.default_rng(0))
    assert [(row["what"], row["low"], row["high"], row["groups"]) for row in rows] == [("best", None, None, 1)]


def test_images_of_one_group_are_added():
    images = {"one": confusion(1, 2), "two": confusion(3, 4), "three": confusion(5, 6)}
    found = by_group(images, {"one": "a", "two": "b", "three": "a"}, ["a", "b"])
    assert found.tolist() == [[[200, 0], [8, 6]], [[100, 0], [4, 3]]]


def test_the_gain_of_two_trials_is_read_from_what_the_study_has_kept(tmp_path):
    confusions_of(tmp_path, 0).parent.mkdir()
    for number, hit in ((0, 5), (3, 8)):
        pooled = np.stack([confusion(hit, 10 - hit)] * 2)
        np.savez(confusions_of(tmp_path, number), images=np.array(["one", "two"]), confusion=pooled)
    group_of, rest = {"one": "a", "two": "b", "of training": "c"}, (DICE, 20, np.random.default_rng(0))
    rows = gain_of(3, 0, tmp_path, group_of, *rest)
    assert [(row["what"], row["trial"], row["groups"]) for row in rows] == [
        ("best", 3, 2), ("default", 0, 2), ("difference", 3, 2),
    ]  # fmt: skip
    assert [row["score"] for row in rows] == pytest.approx([16 / 18, 10 / 15, 16 / 18 - 10 / 15])
    assert [row["what"] for row in gain_of(3, None, tmp_path, group_of, *rest)] == ["best"]
    assert [row["score"] for row in gain_of(0, 0, tmp_path, group_of, *rest)] == pytest.approx([10 / 15, 10 / 15, 0])
