"""The front page: what it may say by the interval, and that no name can break it."""

import base64
import runpy
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import jinja2
import numpy as np
import pytest
from docutils.core import publish_parts
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy.stats import binomtest

from histoloom.prepared import Description
from histoloom.report.forest import forest_axis
from histoloom.report.front_page import number, picture, render, restructured, score_table, section, undefined
from histoloom.report.provenance import commit, data_digest, package_versions
from histoloom.report.verdict import (
    FEWEST_GROUPS,
    Difference,
    Score,
    between,
    difference_of,
    judge,
    ranked,
    score_of,
)

TEMPLATE = Path(__file__).parents[2] / "workflow" / "report" / "front_page.html.j2"
HOSTILE = '<script>alert(1)</script> {{ 7*7 }} {% raw %} {# <!-- --> "\u2028 x'


def score(architecture, mean, kind="model", groups=12, metric="dice"):
    low, high = (None, None) if mean is None else (mean - 0.05, mean + 0.05)
    return Score(architecture, kind, metric, "foreground", mean, low, high, 40, groups, "overlap of each image")


def difference(first, second, low, high, groups=12):
    middle = None if low is None else (low + high) / 2
    return Difference(first, second, middle, low, high, 40, groups)


SCORES = [score("a", 0.7), score("b", 0.6), score("otsu", 0.4, "baseline")]


def description(name="ds", **values):
    usual = {
        "name": name,
        "reader": "pannuke",
        "classes": ("background", name),
        "has_instances": False,
        "licence": name,
        "citation": name,
        "facts": {name: name},
        "warnings": (f"warning {name}",),
    }
    return Description(**usual | values)


def page(sections, name="ds"):
    versions = {"numpy": "1"}
    values = {"study": name, "metric": name, "class_name": name, "seed": 0, "commit": "c", "config": name}
    values["fewest_groups"] = FEWEST_GROUPS
    return render(TEMPLATE, sections=sections, versions=versions, **values)


def usual_page(low=0.05, high=0.15, groups=12, **values):
    differences = [difference("a", "b", low, high, groups), difference("a", "otsu", 0.2, 0.4)]
    return page([section(description(), SCORES, differences, ("dice", "foreground"), **values)])


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def parsed(html):
    tags = Tags()
    tags.feed(html)
    return tags


def words(html):
    return " ".join(" ".join(parsed(html).text).split())


def as_snakemake_shows_it(rst):
    return publish_parts(jinja2.Environment().from_string(rst).render(), writer="html")["html_body"]


@pytest.mark.parametrize(
    ("low", "high", "groups", "judgement"),
    [
        (0.01, 0.2, 12, "better"),
        (-0.2, -0.01, 12, "worse"),
        (-0.01, 0.2, 12, "not distinguishable"),
        (0.0, 0.2, 12, "not distinguishable"),
        (0.01, 0.2, 6, "better"),
        (0.01, 0.2, 5, "cannot be judged"),
        (-0.2, -0.01, 3, "cannot be judged"),
        (0.01, 0.2, 1, "cannot be judged"),
        (None, None, 12, "cannot be judged"),
    ],
)
def test_the_judgement_follows_from_the_interval(low, high, groups, judgement):
    assert difference("a", "b", low, high, groups).judgement == judgement


def test_a_difference_turned_round_changes_sign_and_ends():
    turned = between("b", "a", [difference("a", "b", 0.1, 0.3)])
    assert (turned.first, turned.second) == ("b", "a")
    assert (turned.low, turned.high) == (-0.3, -0.1)
    assert between("a", "z", [difference("a", "b", 0.1, 0.3)]) is None


def test_models_are_ranked_by_mean_with_the_undefined_last():
    order = ranked([score("z", None), score("c", 0.5), score("b", 0.5), score("a", -0.2)])
    assert [one.architecture for one in order] == ["b", "c", "a", "z"]


def test_best_is_only_said_where_no_model_is_tied():
    sure = judge(SCORES, [difference("a", "b", 0.01, 0.2), difference("a", "otsu", 0.1, 0.3)])
    assert sure.headline == "a is the best of 2 models" and not sure.tied and not sure.cautions
    unsure = judge(SCORES, [difference("a", "b", -0.01, 0.2), difference("a", "otsu", 0.1, 0.3)])
    assert unsure.headline == "No clear best model: a has the highest mean of 2 models" and unsure.tied == ("b",)
    assert judge(SCORES, []).tied == ("b",)


def test_a_model_not_above_the_baseline_is_called_out():
    verdict = judge(SCORES, [difference("a", "b", 0.01, 0.2), difference("a", "otsu", -0.1, 0.3)])
    assert any("not shown to be better than a baseline" in one for one in verdict.cautions)


@pytest.mark.parametrize(("groups", "is_few", "is_too_few"), [(5, 1, 1), (6, 1, 0), (9, 1, 0), (10, 0, 0)])
def test_few_groups_are_called_out(groups, is_few, is_too_few):
    cautions = " ".join(judge([score("a", 0.7, groups=groups)], []).cautions)
    assert cautions.count(f"Only {groups} groups of images") == is_few
    assert cautions.count("Too few groups to judge") == is_too_few


def test_images_that_are_their_own_groups_are_called_out():
    assert "Each image is a group of its own" in judge([score("a", 0.7, groups=40)], []).cautions[-1]
    assert not any("group of its own" in one for one in judge([score("a", 0.7, groups=39)], []).cautions)


def test_what_the_reader_warned_of_is_said_once():
    finding = {"severity": "warning", "kind": "dataset", "subject": "ds", "message": "warning ds"}
    text = words(usual_page(findings=[finding]))
    assert text.count("warning ds") == 1 and "No findings beyond the notes above." in text


def test_undefined_scores_are_named_without_repeating_their_classes():
    lost = [replace(score("a", None, metric=m), class_name=c) for m in ("sq", "sq_pooled") for c in "xy"]
    lost.append(replace(score("a", None, metric="pq"), class_name="x"))
    assert undefined(lost) == "sq and sq_pooled of x, y; pq of x"


def test_the_fewest_groups_that_judge_are_those_whose_agreement_is_significant():
    p_values = {groups: binomtest(groups, groups).pvalue for groups in range(1, 12)}
    assert min(groups for groups, p in p_values.items() if p < 0.05) == FEWEST_GROUPS


def test_with_five_groups_the_page_judges_nothing_says_why_and_still_prints_the_interval():
    scores = [score("a", 0.7, groups=5), score("b", 0.6, groups=5), score("otsu", 0.4, "baseline", groups=5)]
    differences = [difference("a", "b", 0.05, 0.15, 5), difference("a", "otsu", 0.2, 0.4, 5)]
    text = words(page([section(description(), scores, differences, ("dice", "foreground"))]))
    reason = "if all 5 groups agree, chance alone does that with p = 2/32 = 0.0625, above 0.05"
    assert "Which model is best cannot be judged: a has the highest mean" in text
    assert "Against b nothing can be judged: only 5 groups (difference +0.100; 95 % interval +0.050 to +0.150)" in text
    assert f"Too few groups to judge: {reason}. At least 6 are needed." in text
    assert "a is not shown to be better than a baseline" in text
    assert "Better than" not in text and "is the best" not in text and "leader better" not in text


def test_a_metric_is_defined_once_whatever_its_classes():
    endings = ("all classes but background merged", "class a", "mean over classes")
    scores = [
        replace(score("a", 0.5), class_name=text, definition=f"Dice in [0, 1]; NaN where absent; {text}; image mean.")
        for text in endings
    ]
    assert score_table(scores).definitions == (("dice", "Dice in [0, 1]; NaN where absent; image mean."),)


def test_nothing_is_claimed_where_no_model_has_a_score():
    assert judge([score("a", None)], []).leader is None
    assert "No model has a defined score here" in words(page([section(description(), [], [], ("dice", "foreground"))]))


def test_the_page_says_better_only_where_the_interval_excludes_zero():
    assert "Better than b by 0.100 (95 % interval +0.050 to +0.150)" in words(usual_page())
    unsure = words(usual_page(low=-0.05, high=0.15))
    assert "Not distinguishable from b : difference +0.050" in unsure and "Better than b" not in unsure
    assert "Worse than b by 0.100" in words(usual_page(low=-0.15, high=-0.05))
    one_group = "Against b nothing can be judged: only 1 group"
    assert one_group in words(usual_page(groups=1))
    assert "Against b nothing can be judged: there is no interval" in words(usual_page(low=None))


def test_empty_cells_of_the_tables_are_undefined():
    cells = {"mean": "", "low": "nan", "high": "0.5", "images": "0", "groups": "", "definition": "d"}
    read = score_of({"architecture": "a", "kind": "model", "metric": "dice", "class": "all"} | cells)
    assert (read.mean, read.low, read.high, read.groups) == (None, None, 0.5, 0)
    row = {"first": "a", "second": "b", "difference": "0.1", "low": "", "high": "", "images": "9", "groups": "9"}
    assert difference_of(row).judgement == "cannot be judged"


def test_names_from_the_data_are_text_whatever_they_hold(tmp_path):
    shown = tmp_path / "examples.png"
    notes = PngInfo()
    notes.add_text("Description", HOSTILE)
    Image.new("RGB", (8, 8)).save(shown, pnginfo=notes)
    scores = [score(HOSTILE, 0.7, metric=HOSTILE), score("b", 0.6, metric=HOSTILE)]
    findings = [{"severity": "warning", "kind": HOSTILE, "subject": HOSTILE, "message": HOSTILE}]
    one = section(
        description(HOSTILE),
        scores,
        [difference(HOSTILE, "b", 0.1, 0.2)],
        (HOSTILE, "foreground"),
        findings=findings,
        pictures={HOSTILE: shown},
        warnings=[HOSTILE],
    )
    rst = restructured(HOSTILE, page([one], HOSTILE))
    assert "</script" not in rst and "<!--" not in rst
    assert not any(marker in rst for marker in ("{{", "{%", "{#"))
    body = as_snakemake_shows_it(rst)
    assert "</script" not in body and "<script" not in body
    assert "script" not in parsed(body).tags
    assert words(body).count("<script>alert(1)</script> {{ 7*7 }} {% raw %} {# <!-- -->") > 15
    assert "system-message" not in body


def test_a_study_name_with_markup_is_a_plain_title():
    body = as_snakemake_shows_it(restructured("*x* `a`_ |b| real_samples_ \\ {{ 1 }}", "<p>page</p>"))
    assert words(body).startswith("*x* `a`_ |b| real_samples_ \\ {{ 1 }}")
    assert "system-message" not in body


def test_no_line_is_longer_than_docutils_accepts(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "e.png")
    rst = restructured("study", usual_page(pictures={"a": tmp_path / "e.png"}))
    assert max(map(len, rst.splitlines())) < 10_000
    assert "system-message" not in as_snakemake_shows_it(rst)


def test_a_long_text_from_the_data_is_broken_into_lines_that_docutils_accepts():
    words_of_data = "mitosis " * 5000
    rst = restructured("study", usual_page(warnings=[words_of_data]))
    assert max(map(len, rst.splitlines())) < 10_000
    shown = as_snakemake_shows_it(rst)
    assert "system-message" not in shown and words(shown).count("mitosis") == 5000


def test_the_embedded_picture_is_scaled_to_its_budget(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (700, 1400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "e.png")
    shown = picture(tmp_path / "e.png", 400_000)
    data = base64.b64decode(shown.uri.partition(",")[2])
    assert len(data) <= 400_000
    assert Image.open(BytesIO(data)).size == (shown.width, shown.height)
    assert shown.width / shown.height == pytest.approx(2, rel=0.01)
    assert shown.description == "e"


def test_every_picture_has_a_text_alternative(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "e.png")
    attributes = parsed(usual_page(pictures={"a": tmp_path / "e.png"})).attributes
    assert all(values.get("alt") for tag, values in attributes if tag == "img")
    assert all(values.get("aria-label") for tag, values in attributes if tag == "svg")
    assert {"img", "svg"} <= {tag for tag, _ in attributes}


def test_warnings_findings_and_what_was_left_out_are_on_the_page():
    finding = {"severity": "error", "kind": "size", "subject": "img_7", "message": "mask is smaller"}
    text = words(usual_page(findings=[finding], warnings=["validation within groups"]))
    for expected in ("warning ds", "validation within groups", "img_7 : mask is smaller", "Scores of single nuclei"):
        assert expected in text
    left_out = section(description(), [score("a", 0.5), score("b", None)], [], ("dice", "foreground"))
    assert "Undefined for b, as no image has what the definition needs: dice of foreground." in left_out.skipped


def test_the_axis_holds_all_values_with_round_ends():
    for values in ([0.52, 0.71], [-0.4, 1.0], [0.3, 0.3], []):
        axis = forest_axis(values)
        assert all(0 <= axis.at(value) <= 100 for value in values)
        assert axis.at(axis.low) == 0 and axis.at(axis.high) == 100
        assert 2 <= len(axis.ticks) <= 6


def test_numbers_have_a_true_minus_sign():
    assert [number(-0.25), number(0.25, True), number(None)] == ["\N{MINUS SIGN}0.250", "+0.250", "undefined"]


def test_the_commit_is_told_and_that_files_differ_from_it(tmp_path):
    assert commit(tmp_path / "nowhere") == "not a git checkout"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "a").write_text("1")
    subprocess.run([*git, "add", "a"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    head = (tmp_path / ".git" / "refs" / "heads").iterdir().__next__().read_text().strip()
    assert commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{head} with uncommitted changes"


def test_the_digest_of_the_data_does_not_hang_on_the_order_of_rows():
    rows = [{"name": "a", "sha256": "1"}, {"name": "b", "sha256": "2"}]
    assert data_digest(rows) == data_digest(rows[::-1]) != data_digest(rows[:1])


def test_a_missing_package_is_said_to_be_missing():
    versions = package_versions(["numpy", "no-such-package"])
    assert versions["numpy"] == np.__version__ and versions["no-such-package"] == "not installed"


def test_the_digests_of_the_data_are_on_the_page():
    text = words(usual_page(digest="0123", raw_digest="4567"))
    assert "prepared images, SHA-256 0123" in text and "raw data, digest 4567" in text


@pytest.mark.parametrize("skipped, expected", [(0, []), (1, ["For 1 problem raw"]), (3, ["For 3 problems raw"])])
def test_problems_that_left_files_out_are_counted_on_the_page(skipped, expected):
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "write_front_page.py"))
    lines = script["warnings_of"]({"split": {"validation": "groups"}}, skipped)
    assert [line.split(" files")[0] for line in lines] == expected
