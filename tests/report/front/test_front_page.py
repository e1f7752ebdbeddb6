"""The front page: answer first, honest wording, and no name that can break it."""

import base64
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

from histoloom.report.front.costs import cost_of
from histoloom.report.front.forest import forest_axis
from histoloom.report.front.front_page import score_table, section
from histoloom.report.front.matrix import matrix
from histoloom.report.front.picture import picture
from histoloom.report.front.verdict import FEWEST_GROUPS, Standing
from histoloom.report.provenance import commit, data_digest, package_versions
from histoloom.report.rendering import number, render, restructured
from tests.report.report_values import HOSTILE, SCORES, description, difference, score
from tests.scripts_run import outcome

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "workflow" / "report" / "front_page.html.j2"
HEADLINE = ("dice", "foreground")


def page(sections, name="ds"):
    values = {"study": name, "metric": name, "class_name": name, "seed": 0, "commit": "c", "config": name}
    values |= {"fewest_groups": FEWEST_GROUPS, "versions": {"numpy": "1"}, "matrix": matrix(sections)}
    return render(TEMPLATE, sections=sections, **values)


def usual_page(low=0.05, high=0.15, groups=12, p_holm=0.012, scores=SCORES, **values):
    differences = [difference("a", "b", low, high, groups, p_holm), difference("a", "otsu", 0.2, 0.4)]
    return page([section(description(), scores, differences, HEADLINE, **values)])


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
    return " ".join(" ".join(parsed(html.split("</style>")[-1]).text).split())


def as_snakemake_shows_it(rst):
    return publish_parts(jinja2.Environment().from_string(rst).render(), writer="html")["html_body"]


def test_what_the_reader_warned_of_is_said_once():
    finding = {"severity": "warning", "kind": "dataset", "subject": "ds", "message": "warning ds"}
    text = words(usual_page(findings=[finding]))
    assert text.count("warning ds") == 1 and "No findings beyond the notes above." in text


def test_with_five_groups_the_page_judges_nothing_says_why_and_still_prints_the_interval():
    scores = [score("a", 0.7, groups=5), score("b", 0.6, groups=5), score("otsu", 0.4, "baseline", groups=5)]
    differences = [difference("a", "b", 0.05, 0.15, 5), difference("a", "otsu", 0.2, 0.4, 5)]
    text = words(page([section(description(), scores, differences, HEADLINE)]))
    reason = "if all 5 groups agree, chance alone does that with p = 2/32 = 0.0625, above 0.05"
    assert "Which model is best cannot be judged: a has the highest mean" in text
    assert "Against b nothing can be judged: only 5 groups (difference +0.100; 95 % interval +0.050 to +0.150" in text
    assert f"Too few groups to judge: {reason}. At least 6 are needed." in text
    assert "a is not shown to be better than a baseline" in text
    assert "Better than" not in text and "is the best" not in text and "leader better" not in text


def test_the_page_says_better_only_where_interval_and_test_allow_it():
    assert "Better than b by 0.100 (95 % interval +0.050 to +0.150; p = 0.012 by Holm)" in words(usual_page())
    unsure = words(usual_page(low=-0.05, high=0.15))
    assert "Not distinguishable from b : difference +0.050" in unsure
    assert "0.050 to +0.150, which holds zero; p = 0.012 by Holm)" in unsure
    untested = words(usual_page(p_holm=0.2))
    assert (
        "Not distinguishable from b : difference +0.100" in untested and "p = 0.2 by Holm, not below 0.05)" in untested
    )
    assert "Better than b" not in unsure + untested and "leader better" in words(usual_page())
    assert "Worse than b by 0.100" in words(usual_page(low=-0.15, high=-0.05))
    assert "Against b nothing can be judged: only 1 group" in words(usual_page(groups=1))
    assert "Against b nothing can be judged: there is no interval" in words(usual_page(low=None))
    assert "after Holm's correction for all pairs of this metric and class" in words(usual_page())


def test_annotators_and_published_scores_are_marked_as_what_they_are():
    paper = replace(score("HoVer-Net", 0.9, "published", images=0), low=None, high=None, definition="Graham 2019.")
    text = words(usual_page(scores=[*SCORES, score("rater", 0.8, "human", images=7), paper]))
    assert "rater human ceiling 0.800 0.750 to 0.850" in text
    assert "HoVer-Net published 0.900 no interval of other images, not compared not stated" in text
    assert "HoVer-Net , published: Graham 2019." in text
    assert "Human ceiling (rater): 0.800" in text and "otsu baseline 0.400" in text
    assert "a is the best of 2 models" in text


def test_how_often_a_model_comes_first_stands_beside_its_score():
    standings = [Standing("a", 0.934, 1.25, 0.8, 12), Standing("b", 0.066, 1.75, 0.8, 12)]
    text = words(usual_page(standings=standings))
    assert "Comes first in 93 % of resamples of the groups; mean rank 1.25." in text
    assert "93 % rank 1.25" in text and "7 % rank 1.75" in text
    assert "over 12 groups; by Nemenyi's test those closer than 0.80 cannot be told apart" in text
    assert "Comes first" not in words(usual_page())


def test_costs_have_a_table_with_units():
    names = ("seconds_per_mm2", "seconds_per_megapixel", "peak_memory_mib", "parameters", "training_seconds")
    values = dict(zip(names, ("", "0.01234", "512.5", "31043521", "3725"), strict=True))
    text = words(usual_page(costs=[cost_of({"architecture": "a", "kind": "model"} | values)]))
    assert "a not known 0.0123 512 31 1 h 2 min" in text
    assert "training is that of the kept model alone, without other rounds" in text
    assert "What it costs" not in words(usual_page())


def test_the_weakest_class_of_the_leader_is_named():
    about = description(classes=("background", "tumour", "stroma"))
    classes = [score("a", mean, class_name=name) for name, mean in (("tumour", 0.8), ("stroma", 0.31), ("mean", 0.2))]
    others = [score("b", 0.1, class_name="stroma"), score("a", 0.05, metric="pq", class_name="tumour")]
    shown = words(page([section(about, [*SCORES, *classes, *others], [], HEADLINE)]))
    assert "Weakest class: stroma , 0.310" in shown


def test_a_metric_is_defined_once_whatever_its_classes():
    endings = ("all classes but background merged", "class a", "mean over classes")
    scores = [
        replace(score("a", 0.5), class_name=text, definition=f"Dice in [0, 1]; NaN where absent; {text}; image mean.")
        for text in endings
    ]
    paper = replace(score("paper", 0.5, "published"), definition="Somebody 2020.")
    expected = (("dice", "Dice in [0, 1]; NaN where absent; image mean."),)
    assert score_table([*scores, paper], "dice").definitions == expected


def test_single_classes_are_shown_of_the_headline_metric_and_small_values_are_called_good():
    wanted = [("dice", "foreground"), ("dice", "tumour"), ("hd95", "foreground"), ("hd95", "mean")]
    scores = [score("a", 0.5, metric=metric, class_name=name) for metric, name in [*wanted, ("hd95", "tumour")]]
    rows = score_table(scores, "dice", {"hd95"}).rows
    assert [(row.metric, row.class_name) for row in rows] == wanted
    assert [row.is_lower_better for row in rows] == [False, False, True, True]


def test_nothing_is_claimed_where_no_model_has_a_score():
    assert "No model has a defined score here" in words(page([section(description(), [], [], HEADLINE)]))


def test_a_run_without_a_fault_says_so_in_one_line(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "e.png")
    about = description(has_instances=True, warnings=())
    text = words(page([section(about, SCORES, [], HEADLINE, pictures={"a": tmp_path / "e.png"})]))
    assert "Nothing: no file was left out, nothing fell back, no training diverged, and every score is defined." in text
    assert "Warnings on the data" not in text


def test_what_went_wrong_stands_above_the_sections_and_only_there():
    html = usual_page(diverged={"b": "1"}, skipped_steps={"a": (2, 90)})
    text = words(html)
    assert text.count("b: training diverged on fold 1,") == 1 == text.count("a: training left out 2 of 90 steps")
    assert "Nothing: no file" not in text
    assert text.index("b: training diverged") < text.index("All models and baselines")


def test_names_from_the_data_are_text_whatever_they_hold(tmp_path):
    shown = tmp_path / "examples.png"
    notes = PngInfo()
    notes.add_text("Description", HOSTILE)
    Image.new("RGB", (8, 8)).save(shown, pnginfo=notes)
    kinds = ("model", "human", "published")
    scores = [score(f"{kind} {HOSTILE}", 0.7, kind, metric=HOSTILE) for kind in kinds]
    scores += [replace(scores[0], class_name=HOSTILE, mean=None), score("b", 0.6, metric=HOSTILE)]
    about = description(HOSTILE, skipped=2)
    one = section(
        about,
        scores,
        [difference(scores[0].architecture, "b", 0.1, 0.2)],
        (HOSTILE, "foreground"),
        findings=[{"severity": "warning", "kind": HOSTILE, "subject": HOSTILE, "message": HOSTILE}],
        diverged={HOSTILE: "1"},
        costs=[cost_of({"architecture": HOSTILE, "kind": "model"} | dict.fromkeys(COSTS, ""))],
        pictures={scores[0].architecture: shown},
        warnings=[HOSTILE],
    )
    rst = restructured(HOSTILE, page([one, replace(one, anchor="hl-1")], HOSTILE))
    assert "</script" not in rst and "<!--" not in rst
    assert not any(marker in rst for marker in ("{{", "{%", "{#"))
    body = as_snakemake_shows_it(rst)
    assert "</script" not in body and "<script" not in body
    assert "script" not in parsed(body).tags
    assert words(body).count("<script>alert(1)</script> {{ 7*7 }} {% raw %} {# <!-- -->") > 50
    assert "system-message" not in body


COSTS = ("seconds_per_mm2", "seconds_per_megapixel", "peak_memory_mib", "parameters", "training_seconds")


def test_a_study_name_with_markup_is_a_plain_title():
    body = as_snakemake_shows_it(restructured("*x* `a`_ |b| real_samples_ \\ {{ 1 }}", "<p>page</p>"))
    assert words(body).startswith("*x* `a`_ |b| real_samples_ \\ {{ 1 }}")
    assert "system-message" not in body


def test_no_line_is_longer_than_docutils_accepts(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "e.png")
    words_of_data = "mitosis " * 5000
    rst = restructured("study", usual_page(pictures={"a": tmp_path / "e.png"}, warnings=[words_of_data]))
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


def test_warnings_and_findings_are_on_the_page():
    finding = {"severity": "error", "kind": "size", "subject": "img_7", "message": "mask is smaller"}
    text = words(usual_page(findings=[finding], warnings=["validation within groups"]))
    for expected in ("warning ds", "validation within groups", "img_7 : mask is smaller", "Scores of single nuclei"):
        assert expected in text


def test_the_axis_holds_all_values_with_round_ends():
    for values in ([0.52, 0.71], [-0.4, 1.0], [0.3, 0.3], []):
        axis = forest_axis(values)
        assert all(0 <= axis.at(value) <= 100 for value in values)
        assert axis.at(axis.low) == 0 and axis.at(axis.high) == 100
        assert 2 <= len(axis.ticks) <= 6


def test_the_worse_baselines_do_not_squeeze_the_axis():
    scores = [score("a", 0.9), score("otsu", 0.8, "baseline"), score("all_background", 0.05, "baseline")]
    one = section(description(), scores, [], HEADLINE)
    assert one.axis.low > 0.7 and one.has_outlier
    assert "triangle: below the axis" in page([one]) and "triangle" not in usual_page()
    assert not section(description(), scores[:2], [], HEADLINE).has_outlier


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


def test_provenance_is_on_the_page():
    text = words(usual_page(digest="0123", raw_digest="4567"))
    assert "prepared images, SHA-256 0123" in text and "raw data, digest 4567" in text
    versions = package_versions(["numpy", "no-such-package"])
    assert versions["numpy"] == np.__version__ and versions["no-such-package"] == "not installed"


@pytest.mark.parametrize("metric", ["count@bias", "hausdorff"])
def test_a_metric_of_which_more_is_not_better_cannot_be_the_headline(tmp_path, monkeypatch, metric):
    monkeypatch.setattr("histoloom.evaluate.direction.is_lower_better", lambda name: name == "hausdorff")
    files = [f"--{name}={tmp_path / name}" for name in ("summary", "comparison", "datasets", "config", "front")]
    script = str(ROOT / "scripts" / "write_front_page.py")
    message = outcome([script, "--study=s", f"--metric={metric}", "--class=mean", *files])
    assert message.startswith(f"error: report.headline_metric: {metric}, of which more is not better; expected")
    assert not (tmp_path / "front").exists()
