"""Which model is best, and what may be said of that: by interval, test and number of groups."""

from itertools import product

import pytest
from scipy.stats import binomtest, wilcoxon

from histoloom.report.front.verdict import (
    FEWEST_GROUPS,
    between,
    differences_of,
    fewest_groups,
    judge,
    ranked,
    score_of,
    standing_of,
)
from tests.report.report_values import SCORES, difference, score


@pytest.mark.parametrize(
    ("low", "high", "groups", "p_holm", "judgement"),
    [
        (0.01, 0.2, 12, 0.049, "better"),
        (-0.2, -0.01, 12, 0.049, "worse"),
        (-0.01, 0.2, 12, 0.001, "not distinguishable"),
        (0.0, 0.2, 12, 0.001, "not distinguishable"),
        (0.01, 0.2, 12, 0.05, "not distinguishable"),
        (-0.2, -0.01, 12, 0.06, "not distinguishable"),
        (0.01, 0.2, 6, 0.04, "better"),
        (0.01, 0.2, 5, 0.04, "cannot be judged"),
        (-0.2, -0.01, 3, 0.04, "cannot be judged"),
        (0.01, 0.2, 1, None, "cannot be judged"),
        (0.01, 0.2, 12, None, "cannot be judged"),
        (None, None, 12, 0.01, "cannot be judged"),
    ],
)
def test_the_judgement_needs_interval_test_and_groups(low, high, groups, p_holm, judgement):
    assert difference("a", "b", low, high, groups, p_holm).judgement == judgement


def test_groups_that_could_never_pass_the_correction_cannot_judge():
    six = difference("a", "b", 0.01, 0.2, groups=6, p_holm=5 * 2 / 64, pairs=5)
    assert six.judgement == "cannot be judged" and six.obstacle == "6 groups are too few for 5 pairs"
    eight = difference("a", "b", 0.01, 0.2, groups=8, p_holm=0.2, pairs=5)
    assert eight.judgement == "not distinguishable"


@pytest.mark.parametrize("pairs", [1, 2, 5, 21, 45])
def test_the_fewest_groups_that_judge_are_those_whose_agreement_is_significant(pairs):
    p_values = {groups: pairs * binomtest(groups, groups).pvalue for groups in range(1, 16)}
    assert fewest_groups(pairs) == min(groups for groups, p in p_values.items() if p < 0.05)


def test_wilcoxon_and_the_sign_test_agree_on_full_agreement():
    least = wilcoxon([0.1 * place for place in range(1, FEWEST_GROUPS + 1)]).pvalue
    assert least == pytest.approx(2 / 2**FEWEST_GROUPS)
    assert fewest_groups(1) == FEWEST_GROUPS


def test_an_interval_holds_zero_between_its_ends_and_at_them():
    ends = [(-0.1, 0.2), (0.0, 0.2), (-0.1, 0.0), (0.1, 0.2), (-0.2, -0.1), (None, None)]
    assert [difference("a", "b", *each).holds_zero for each in ends] == [True, True, True, False, False, False]


def test_a_difference_turned_round_changes_sign_and_ends_and_keeps_its_test():
    turned = between("b", "a", [difference("a", "b", 0.1, 0.3, p_holm=0.02, pairs=3)])
    assert (turned.first, turned.second) == ("b", "a")
    assert (turned.low, turned.high) == (-0.3, -0.1)
    assert (turned.p_holm, turned.pairs) == (0.02, 3)
    assert between("a", "z", [difference("a", "b", 0.1, 0.3)]) is None


def test_models_are_ranked_by_mean_with_the_undefined_last():
    order = ranked([score("z", None), score("c", 0.5), score("b", 0.5), score("a", -0.2)])
    assert [one.architecture for one in order] == ["b", "c", "a", "z"]


def test_best_is_only_said_where_no_model_is_tied():
    sure = judge(SCORES, [difference("a", "b", 0.01, 0.2), difference("a", "otsu", 0.1, 0.3)])
    assert sure.headline == "a is the best of 2 models" and not sure.tied and not sure.cautions and sure.is_sure
    unsure = judge(SCORES, [difference("a", "b", -0.01, 0.2), difference("a", "otsu", 0.1, 0.3)])
    assert unsure.headline == "No clear best model: a has the highest mean of 2 models" and unsure.tied == ("b",)
    assert judge(SCORES, []).tied == ("b",) and not unsure.is_sure


def test_neither_annotators_nor_published_scores_lead():
    others = [score("second annotator", 0.9, "human"), score("HoVer-Net 2019", 0.95, "published")]
    assert judge([*others, *SCORES], []).leader.architecture == "a"


def test_a_model_not_above_the_baseline_is_called_out():
    verdict = judge(SCORES, [difference("a", "b", 0.01, 0.2), difference("a", "otsu", -0.1, 0.3)])
    assert any("not shown to be better than a baseline" in one for one in verdict.cautions)


@pytest.mark.parametrize(("groups", "is_few", "is_too_few"), [(5, 1, 1), (6, 1, 0), (9, 1, 0), (10, 0, 0)])
def test_few_groups_are_called_out(groups, is_few, is_too_few):
    cautions = " ".join(judge([score("a", 0.7, groups=groups)], []).cautions)
    assert cautions.count(f"Only {groups} groups of images") == is_few
    assert cautions.count("Too few groups to judge") == is_too_few


def test_too_few_groups_for_the_number_of_pairs_are_called_out():
    scores = [score("a", 0.7, groups=6), score("b", 0.6, groups=6)]
    verdict = judge(scores, [difference("a", "b", 0.01, 0.2, groups=6, p_holm=0.156, pairs=5)])
    assert verdict.headline.startswith("Which model is best cannot be judged")
    assert any("by Holm for 5 pairs 0.156, above 0.05. At least 8 are needed" in one for one in verdict.cautions)


def test_images_that_are_their_own_groups_are_called_out():
    assert "Each image is a group of its own" in judge([score("a", 0.7, groups=40)], []).cautions[-1]
    assert not any("group of its own" in one for one in judge([score("a", 0.7, groups=39)], []).cautions)


def test_nothing_is_claimed_where_no_model_has_a_score():
    assert judge([score("a", None)], []).leader is None


def test_empty_cells_of_the_tables_are_undefined():
    cells = {"mean": "", "low": "nan", "high": "0.5", "images": "0", "groups": "", "definition": "d"}
    read = score_of({"architecture": "a", "kind": "model", "metric": "dice", "class": "all"} | cells)
    assert (read.mean, read.low, read.high, read.groups) == (None, None, 0.5, 0)
    standing = standing_of(
        {"architecture": "a", "probability_best": "0.75", "mean_rank": "", "critical_difference": "", "groups": "9"}
    )
    assert (standing.probability_best, standing.mean_rank, standing.groups) == (0.75, None, 9)


def test_pairs_are_counted_as_holm_counts_them():
    row = {"difference": "0.1", "low": "", "high": "", "images": "9", "groups": "9"}
    p_values = {("a", "b"): "0.5", ("a", "otsu"): "0.01", ("b", "otsu"): ""}
    rows = [row | {"first": one, "second": other, "p_holm": p} for (one, other), p in p_values.items()]
    found = differences_of(rows)
    assert [one.pairs for one in found] == [2, 2, 2]
    assert [one.p_holm for one in found] == [0.5, 0.01, None]
    assert {one.judgement for one in found} == {"cannot be judged"}


def test_better_is_never_said_against_any_of_the_three():
    for low, p_holm, groups in product((-0.1, 0.1), (0.2, 0.01, None), (3, 20)):
        is_better = difference("a", "b", low, 0.5, groups, p_holm).judgement == "better"
        assert is_better == ((low, p_holm, groups) == (0.1, 0.01, 20))
