"""Which images are shown follows from the scores alone, by the rule that the pictures state."""

import tracemalloc
from pathlib import Path

import pytest

from histoloom.errors import InputError
from histoloom.report.examples.choice import (
    COLUMNS,
    Choice,
    Ranking,
    choose,
    chosen,
    description,
    fold_folders,
    leader,
    of_fold,
    read_choices,
    read_scores,
    scores_of_models,
    table_rows,
)

NAN = float("nan")
SCORES = """dataset,architecture,fold,name,group,stratum,class,dice,hd95
ds,unet,0,a,a,,foreground,0.25,9
ds,unet,0,b,b,,foreground,0.5,7
ds,unet,1,a,a,,foreground,0.75,
ds,unet,0,c,c,,foreground,,
ds,unet,0,a,a,,stroma,0.9,1
ds,fpn,0,a,a,,foreground,0.1,2
"""


def scores(folder, text=SCORES):
    path = folder / "scores.csv"
    path.write_text(text)
    return path


def test_examples_are_chosen_by_score_then_name():
    found = choose([("d", 0, 0.5), ("b", 1, 0.1), ("a", 0, 0.1), ("e", 0, 0.9), ("c", 2, 0.3), ("f", 0, NAN)], 1)
    assert [(one.rank, one.name) for one in found] == [("worst", "a"), ("median", "c"), ("best", "e")]


def test_where_lower_is_better_the_largest_is_the_worst_and_names_still_go_up():
    found = choose([("d", 0, 5.0), ("b", 1, 9.0), ("a", 0, 9.0), ("e", 0, 0.5), ("c", 2, 7.0)], 1, lower_is_better=True)
    assert [(one.rank, one.name, one.score) for one in found] == [
        ("worst", "a", 9.0),
        ("median", "c", 7.0),
        ("best", "e", 0.5),
    ]


def test_an_image_that_two_folds_tested_is_chosen_once_by_its_mean_and_drawn_from_the_first():
    rows = [("a", 1, 0.25), ("b", 2, 0.3), ("a", 0, 0.75), ("c", 2, 0.625), ("d", 0, NAN), ("d", 1, 0.7)]
    expected = [Choice("worst", "b", (2,), 0.3), Choice("median", "a", (0, 1), 0.5), Choice("best", "d", (1,), 0.7)]
    assert choose(rows, 1) == expected
    assert expected[1].fold == 0
    assert description(expected[1:2], "dice") == "median: a, dice 0.500 (mean of folds 0, 1; fold 0 drawn)"


def test_no_image_is_shown_twice_where_there_are_few():
    found = choose([("a", 0, 0.1), ("b", 0, 0.2)], 3)
    assert [(one.rank, one.name) for one in found] == [("worst", "a"), ("worst", "b")]
    assert choose([("a", 0, NAN)], 2) == []


def test_scores_of_one_model_and_class_are_read_from_the_metrics_own_column(tmp_path):
    read = read_scores(scores(tmp_path), Ranking("unet", "dice", "foreground"))
    assert read[:3] == [("a", 0, 0.25), ("b", 0, 0.5), ("a", 1, 0.75)]
    assert read[3][:2] == ("c", 0) and read[3][2] != read[3][2]


def test_scores_of_several_models_are_read_at_once(tmp_path):
    read = scores_of_models(scores(tmp_path), "hd95@pooled", "foreground", ["fpn", "unet", "segformer"])
    assert list(read) == ["fpn", "unet", "segformer"]
    assert read["fpn"] == [("a", 0, 2.0)]
    assert read["unet"][:2] == [("a", 0, 9.0), ("b", 0, 7.0)]
    assert read["segformer"] == []


def test_rows_of_other_classes_and_models_are_not_kept(tmp_path):
    others = "".join(
        f"ds,unet,0,{place},g,,stroma,0.5,1\nds,vit,0,{place},g,,foreground,1,1\n" for place in range(3000)
    )
    path = scores(tmp_path, SCORES + others)
    tracemalloc.start()
    try:
        read = scores_of_models(path, "dice", "foreground", ["unet", "fpn"])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(each) for each in read.values()] == [4, 1]
    assert most < len(others)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"scores\.csv: no such table"):
        read_scores(tmp_path / "scores.csv", Ranking("unet", "dice", "mean"))


def test_an_image_has_the_score_before_the_averaging():
    ranking = Ranking("unet", "pq@pannuke", "mean")
    assert ranking.score_name == "pq (mean)"
    assert not ranking.is_lower_better


def test_the_rule_says_which_way_is_better_and_of_how_many_images(tmp_path):
    choices, rule = chosen(scores(tmp_path), Ranking("unet", "hd95", "foreground"), 1)
    assert rule == "worst, median and best of 2 test images by hd95 (foreground) of unet; lower is better"
    assert [(one.rank, one.name) for one in choices] == [("worst", "a"), ("best", "b")]
    assert (
        "dice (foreground) of unet; higher is" in chosen(scores(tmp_path), Ranking("unet", "dice", "foreground"), 1)[1]
    )


def test_a_metric_without_a_column_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"no column 'dicey'; did you mean 'dice'\?"):
        read_scores(scores(tmp_path), Ranking("unet", "dicey", "foreground"))


def test_a_score_that_no_image_has_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no image has a defined dice \(tumour\) for unet"):
        chosen(scores(tmp_path), Ranking("unet", "dice", "tumour"), 1)


def summary(**means):
    common = {"kind": "model", "class": "mean"}
    rows = [common | {"architecture": name, "metric": "dice", "mean": str(mean)} for name, mean in means.items()]
    rows += [common | {"architecture": name, "metric": "hd95", "mean": str(mean)} for name, mean in means.items()]
    return [*rows, {"architecture": "otsu", "kind": "baseline", "metric": "dice", "class": "mean", "mean": "0.99"}]


def test_the_leader_is_the_best_model_whichever_way_is_better():
    rows = summary(unet=0.5, fpn=0.75, narrow="")
    assert leader(rows, "dice", "mean", ["unet", "fpn", "narrow", "otsu"]) == "fpn"
    assert leader(rows, "hd95", "mean", ["unet", "fpn", "narrow"]) == "unet"
    assert leader(rows, "dice", "mean", ["unet"]) == "unet"


def test_of_equal_leaders_the_first_name_leads_and_none_is_refused():
    assert leader(summary(unet=0.5, fpn=0.5), "dice", "mean", ["unet", "fpn"]) == "fpn"
    with pytest.raises(InputError, match=r"no model has a defined dice \(mean\); expected at least one of narrow"):
        leader(summary(narrow=""), "dice", "mean", ["narrow"])


def test_choices_are_read_as_they_were_written(tmp_path):
    choices = [Choice("worst", "a,b", (0, 2), 1 / 3), Choice("best", "c", (1,), 0.5)]
    lines = [",".join(COLUMNS)]
    lines += [
        ",".join(f'"{cell}"' for cell in row) for row in table_rows(choices, Ranking("unet", "pq@strict", "mean"))
    ]
    (tmp_path / "e.csv").write_text("\n".join(lines) + "\n")
    assert read_choices(tmp_path / "e.csv") == (choices, "pq (mean)")


def test_an_empty_list_of_examples_is_refused(tmp_path):
    (tmp_path / "e.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(InputError, match="names no image"):
        read_choices(tmp_path / "e.csv")


def test_folders_are_found_by_the_number_of_their_fold_not_by_their_order():
    folders = fold_folders([Path("u/fold2/regions"), Path("u/fold10/regions")])
    assert of_fold(folders, Choice("worst", "a", (10,), 0.1), "regions") == Path("u/fold10/regions")
    with pytest.raises(InputError, match=r"tested by fold 0, of which there are no regions.*\[2, 10\]"):
        of_fold(folders, Choice("worst", "a", (0,), 0.1), "regions")
    with pytest.raises(InputError, match="lies in 'regions'; expected a path that ends in fold<k>"):
        fold_folders([Path("u/regions/x")])
