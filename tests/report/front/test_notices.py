"""What went wrong stands on the front page, and the matrix of all scores says who leads."""

import csv
from dataclasses import replace

import pytest

from histoloom.report.front.front_page import section
from histoloom.report.front.matrix import matrix
from histoloom.report.front.notices import lost, notices, skipped_steps
from tests.report.report_values import SCORES, description, difference, score

HEADLINE = ("dice", "foreground")


def told(about=None, scores=SCORES, *, diverged=(), steps=(), findings=(), has_picture=True):
    values = {"diverged": dict(diverged), "steps": dict(steps), "findings": findings, "has_picture": has_picture}
    return [(one.kind, one.message) for one in notices(about or flawless(), scores, HEADLINE, **values)]


def flawless(**values):
    return description(has_instances=True, **values)


def test_of_a_flawless_run_nothing_is_told():
    assert told() == []


@pytest.mark.parametrize(("skipped", "opening"), [(1, "For 1 problem raw files"), (3, "For 3 problems raw files")])
def test_problems_that_left_files_out_are_counted(skipped, opening):
    ((kind, message),) = told(flawless(skipped=skipped))
    assert kind == "skipped" and message.startswith(opening)


def test_trainings_that_diverged_stand_first():
    found = told(flawless(skipped=1), diverged={"a": "0 2", "b": "1", "c": "0 2"}, steps={"a": (1200, 24000)})
    assert [kind for kind, _ in found] == ["diverged", "diverged", "diverged", "skipped"]
    assert found[0][1].startswith("a, c: training diverged on folds 0, 2,")
    assert found[1][1].startswith("b: training diverged on fold 1,")
    assert found[2][1].startswith("a: training left out 1,200 of 24,000 steps")


def test_images_that_fell_back_are_told_and_other_findings_are_not():
    rows = [
        {"severity": "warning", "kind": "not_normalised", "subject": "fold 0", "message": "2 images kept"},
        {"severity": "warning", "kind": "blurred_image", "subject": "x", "message": "blurred"},
    ]
    assert told(findings=rows) == [("fell back", "fold 0: 2 images kept")]


def test_undefined_scores_are_counted_by_architecture_and_can_be_unfolded():
    lacking = [score(name, None, metric="pq") for name in "ab"] + [score("otsu", None, "baseline", metric="sq")]
    scores = [*SCORES, *lacking, score("paper", None, "published", metric="sq")]
    (found,) = notices(flawless(), scores, HEADLINE, diverged={}, steps={}, findings=[], has_picture=True)
    assert found.kind == "undefined"
    assert found.message.endswith("what the definition needs: 1 of a, 1 of b, 1 of otsu.")
    assert found.details == ("a, b: pq of foreground", "otsu: sq of foreground")


def test_undefined_scores_are_named_without_repeating_their_classes():
    named = [replace(score("a", None, metric=m), class_name=c) for m in ("sq", "sq@pooled") for c in "xy"]
    named.append(replace(score("a", None, metric="pq"), class_name="x"))
    assert lost(named) == "sq and sq@pooled of x, y; pq of x"


def test_images_that_do_not_count_are_told_of_models_but_not_of_annotators():
    scores = [score("a", 0.7), score("b", 0.6, images=38), score("second", 0.8, "human", images=5)]
    ((kind, message),) = told(scores=[*scores, score("paper", 0.9, "published", images=0)])
    assert kind == "undefined" and message.startswith("2 of 40 images do not count in the headline mean of b")


def test_missing_nuclei_and_pictures_are_told():
    messages = " ".join(message for _, message in told(description(), has_picture=False))
    assert "Scores of single nuclei" in messages and "no picture of the leading model" in messages


def test_steps_left_out_are_added_up_over_folds(tmp_path):
    paths = []
    for architecture, fold, left_out in (("unet", 0, (0, 3)), ("unet", 1, (1, 1)), ("fpn", 0, (0, 0))):
        path = tmp_path / architecture / f"fold{fold}" / "history.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["steps", "skipped_steps"])
            writer.writerows((10, each) for each in left_out)
        paths.append(path)
    assert skipped_steps(paths) == {"unet": (5, 40)}


def sections():
    sure = [difference("a", "b", 0.05, 0.15), difference("a", "otsu", 0.2, 0.4)]
    second = [score("a", 0.5), score("b", 0.6), score("paper", 0.9, "published"), score("rater", 0.8, "human")]
    return [
        section(description("one"), SCORES, sure, HEADLINE, place=0),
        section(description("two"), second, [], HEADLINE, place=1),
    ]


def test_the_matrix_marks_the_leader_of_each_dataset_and_those_not_told_apart():
    found = matrix(sections())
    marks = {row.name: [cell.mark if cell else None for cell in row.cells] for row in found.rows}
    assert marks == {"a": ["best", "not told apart"], "b": ["", "highest"], "otsu": ["", None], "rater": [None, ""]}
    assert list(marks) == ["a", "b", "otsu", "rater"] and found.has_choice


def test_each_cell_of_the_matrix_leads_to_its_row():
    parts = sections()
    anchors = {row.anchor: (place, row.score.architecture) for place, one in enumerate(parts) for row in one.rows}
    assert len(anchors) == sum(len(one.rows) for one in parts)
    for row in matrix(parts).rows:
        for place, cell in enumerate(row.cells):
            assert cell is None or anchors[cell.anchor] == (place, row.name)


def test_one_model_on_one_dataset_is_no_matrix():
    alone = section(description(), [score("a", 0.7), score("otsu", 0.4, "baseline")], [], HEADLINE)
    assert not matrix([alone]).has_choice
    assert matrix([section(description(), SCORES, [], HEADLINE)]).has_choice
