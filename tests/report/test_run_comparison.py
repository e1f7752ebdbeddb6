"""What changed between two runs: config, code, data and scores, with intervals and tests of known answers."""

import base64
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from histoloom.errors import InputError
from histoloom.prepared import read_table
from histoloom.report.runs.run_comparison import ScoreChange, compare_runs, score_changes
from histoloom.report.runs.run_comparison_text import told
from histoloom.report.runs.run_files import code_fingerprints, read_run, read_scores
from tests.report.made_study import CLASSES, CONFIG, DATASET, EVIL, write_study
from tests.scripts_run import outcome

SCRIPT = str(Path(__file__).parents[2] / "scripts" / "compare_runs.py")
BEFORE, AFTER = "a" * 12, "b" * 12


@pytest.fixture
def runs(tmp_path):
    """Two results folders: in the second, unet is better by 0.05 in every image, and trained at another rate."""
    config = json.loads(json.dumps(CONFIG))
    config["train"]["learning_rate"] = 0.0003
    write_study(tmp_path / "a" / "results", unet=0.8)
    write_study(tmp_path / "b" / "results", unet=0.85, config=config)
    return tmp_path / "a" / "results", tmp_path / "b" / "results"


def compared(runs):
    return compare_runs(*map(read_run, runs), resamples=200, seed=0)


def change(comparison, architecture, metric="dice", class_name="foreground"):
    key = (architecture, metric, class_name)
    (found,) = [one for one in comparison.scores if (one.architecture, one.metric, one.class_name) == key]
    return found


def record(run, output, rule, params):
    """Write what Snakemake keeps of a file it made, as its version 9 does."""
    folder = run.parent / ".snakemake" / "metadata"
    folder.mkdir(parents=True, exist_ok=True)
    name = base64.urlsafe_b64encode(output.encode()).decode()
    (folder / name).write_text(json.dumps({"rule": rule, "params": [repr(value) for value in params]}))


def with_classes(folder, classes):
    """Let a dataset's results be of other classes: rows of those it had are kept, new ones score as tumour does."""
    about = folder / "prepared" / "dataset.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"classes": classes}))
    scores = read_scores(folder / "scores.csv")
    scores = scores[scores["class"].isin(["foreground", "mean", *classes])]
    new = [scores[scores["class"] == "tumour"].assign(**{"class": name}) for name in set(classes) - set(CLASSES)]
    pd.concat([scores, *new]).to_csv(folder / "scores.csv", index=False)


def scores_table(rows, metric="dice"):
    """A table of scores of model m, class foreground: rows of (name, group, fold, value)."""
    columns = {"dataset": "d", "architecture": "m", "stratum": "", "class": "foreground"}
    found = pd.DataFrame(rows, columns=["name", "group", "fold", metric])
    return found.assign(**columns)


def test_the_config_is_told_key_by_key(runs):
    assert [str(one) for one in compared(runs).config] == ["train.learning_rate: 0.001 -> 0.0003"]


def test_a_constant_gain_has_an_interval_of_no_width_and_the_sign_tests_p(runs):
    found = change(compared(runs), "unet")
    # Every image gains 0.05, so every resample does; all of 8 groups agree: p = 2 / 2^8.
    assert (found.difference, found.low, found.high) == pytest.approx((0.05, 0.05, 0.05))
    assert found.p == pytest.approx(2 / 2**8)
    assert (found.images, found.groups, found.judgement) == (16, 8, "better")


def test_where_small_is_good_a_fall_is_better(runs):
    found = change(compared(runs), "unet", "hd95")
    assert found.difference == pytest.approx(-0.5)
    assert found.judgement == "better"


def test_models_that_did_not_change_are_the_same_and_no_test_to_correct_for(runs):
    comparison = compared(runs)
    assert change(comparison, "tiny").judgement == "the same"
    assert change(comparison, "unet").p_holm == pytest.approx(2 / 2**8)


def test_a_run_beside_itself_has_changed_in_nothing(runs):
    comparison = compared((runs[0], runs[0]))
    assert comparison.config == comparison.data == comparison.unpaired == ()
    assert all(one.is_same for one in comparison.scores)


def test_images_are_paired_by_name_in_any_order_and_folds_are_averaged():
    first = scores_table([("x", "g", 0, 0.2), ("x", "g", 1, 0.4), ("y", "h", 0, 0.5), ("only_a", "h", 0, 0.9)])
    second = scores_table([("y", "h", 0, 0.9), ("x", "g", 0, 0.5), ("x", "g", 1, 0.5)])
    (found,) = score_changes(first, second, ("c",), 50, 0)
    # x: 0.5 - 0.3 = 0.2; y: 0.9 - 0.5 = 0.4; the image of one run alone does not count.
    assert (found.first, found.second, found.difference) == pytest.approx((0.4, 0.7, 0.3))
    assert (found.images, found.groups) == (2, 2)


def test_an_image_that_one_run_leaves_undefined_does_not_count():
    first = scores_table([("x", "g", 0, 0.2), ("y", "h", 0, math.nan)])
    second = scores_table([("x", "g", 0, 0.5), ("y", "h", 0, 0.9)])
    (found,) = score_changes(first, second, ("c",), 50, 0)
    assert (found.images, found.difference, found.second) == (1, pytest.approx(0.3), pytest.approx(0.5))


def test_groups_are_resampled_whole():
    """Two groups, one gains 0 in each of 9 images, one gains 1 in one: resamples are all of one, or the mix."""
    first = scores_table([*((f"x{n}", "g", 0, 0.5) for n in range(9)), ("y", "h", 0, 0.0)])
    second = scores_table([*((f"x{n}", "g", 0, 0.5) for n in range(9)), ("y", "h", 0, 1.0)])
    (found,) = score_changes(first, second, ("c",), 500, 0)
    assert (found.difference, found.low, found.high) == pytest.approx((0.1, 0.0, 1.0))


def test_too_few_groups_judge_nothing():
    found = ScoreChange("d", "m", "dice", "c", 0.1, 0.2, 0.1, 0.1, 0.1, 5, 5, p=0.0625, p_holm=0.0625)
    assert found.judgement == "cannot be judged"


def test_a_bias_has_no_better_side():
    found = ScoreChange("d", "m", "count@bias", "c", 1.0, 0.0, -1.0, -1.1, -0.9, 20, 20, p=1e-6, p_holm=1e-6)
    assert found.judgement == "differs"


def test_code_is_told_by_commits_of_cards_and_by_fingerprints_of_rules(runs):
    for run, commit, code in zip(runs, ("one", "two"), (BEFORE, AFTER), strict=True):
        card = run / DATASET / "figures" / "card_unet.md"
        card.parent.mkdir()
        card.write_text(f"---\nhistoloom: {{commit: {commit}}}\n---\n# x\n")
        record(run, f"results/{DATASET}/unet/fold0/model.safetensors", "train", [code, ["--epochs", "3"]])
        record(run, f"results/{DATASET}/folds.csv", "split", ["c" * 12, ["--seed", "0"]])
    assert compared(runs).code == (
        "commit: one -> two (1 of 1 models)",
        "code of rule train: changed for 1 of 1 files",
    )


def test_digests_of_raw_data_are_no_code(tmp_path):
    record(tmp_path / "results", "results/x/index.csv", "prepare", [BEFORE, AFTER])
    folder = tmp_path / ".snakemake" / "metadata"
    assert code_fingerprints(folder, [AFTER]) == {"results/x/index.csv": ("prepare", BEFORE)}
    assert code_fingerprints(folder) == {}  # two digests: which is which is not known


def test_without_records_it_says_so(runs):
    assert compared(runs).code == ("not recorded: there are neither model cards nor Snakemake's records of both runs",)


def test_what_one_run_alone_has_is_told(runs):
    table = runs[1] / DATASET / "scores.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if ",otsu," not in line))
    assert any("models of toy that only" in line and "otsu" in line for line in compared(runs).unpaired)


@pytest.mark.parametrize(
    ("classes", "lost", "new"),
    [
        (("background", "tumour", "stroma"), EVIL, "stroma"),
        (("background", "tumour", EVIL, "stroma"), None, "stroma"),
        (("background", "tumour"), EVIL, None),
    ],
)
def test_means_over_other_classes_are_left_out_and_it_says_so(runs, classes, lost, new):
    with_classes(runs[1] / DATASET, classes)
    comparison = compared(runs)
    assert {one.class_name for one in comparison.scores} == {"foreground", *set(CLASSES).intersection(classes)}
    alone = zip(runs, (lost, new), strict=True)
    lines = [f"classes of toy that only {run} has: {name}" for run, name in alone if name]
    assert comparison.unpaired == (*lines, "class mean of toy: over other classes in each run, so not compared")


def test_classes_in_another_order_have_the_same_mean(runs):
    with_classes(runs[1] / DATASET, ("background", EVIL, "tumour"))
    comparison = compared(runs)
    assert change(comparison, "unet", class_name="mean").difference == pytest.approx(0.05)
    assert comparison.unpaired == ()


def test_names_that_look_like_nothing_stay_names(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("dataset,architecture,fold,name,group,stratum,class,dice\nd,m,0,NA,null,,None,\n")
    row = read_scores(path).iloc[0]
    assert (row["name"], row["group"], row["class"]) == ("NA", "null", "None")
    assert np.isnan(row["dice"])


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no report/<study>/config.yaml; expected a results folder"):
        read_run(tmp_path)


def test_several_studies_in_one_folder_have_to_be_chosen_from(runs):
    write_study(runs[0], slug="other")
    with pytest.raises(InputError, match="reports of 2 studies; expected one; give its folder"):
        read_run(runs[0])
    assert read_run(runs[0] / "report" / "other").config["study"]["seed"] == 0


def test_the_terminal_shows_one_class_and_counts_the_rest(runs):
    lines = told(compared(runs), "foreground")
    (row,) = [line for line in lines if " dice " in line]
    assert row.split()[:8] == [DATASET, "unet", "dice", "foreground", "better", "0.835", "0.885", "+0.050"]
    # 3 models x 2 metrics x 5 classes; of unet's 10 two are of class foreground.
    assert "20 of 30 scores are the same in every image" in lines[-2]
    assert "8 more changed, of other classes" in lines[-1]


def test_the_script_writes_table_and_page_and_escapes_names(runs, tmp_path, capsys):
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    flags = ["--first", str(runs[0]), "--second", str(runs[1]), "--html", str(page), "--table", str(table)]
    assert outcome([SCRIPT, *flags]) == "done"
    assert "train.learning_rate: 0.001 -> 0.0003" in capsys.readouterr().out
    rows = read_table(table)
    assert {row["class"] for row in rows} == {"foreground", "mean", *CLASSES}
    (row,) = [row for row in rows if (row["architecture"], row["metric"], row["class"]) == ("unet", "dice", EVIL)]
    assert (float(row["difference"]), row["judgement"]) == (0.05, "better")
    html = page.read_text(encoding="utf-8")
    assert "<script>alert" not in html and "&lt;script&gt;alert" in html
