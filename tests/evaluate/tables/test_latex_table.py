"""The LaTeX table is sound LaTeX whatever names hold, and bold is only what is shown to be better."""

import re
import shutil
import subprocess

import pytest

from histoloom.errors import InputError
from histoloom.evaluate.tables.latex_table import escaped, latex_table

HOSTILE = 'a_b & c% $x$ #1 {y} ~^ \\end{table} <b> | "q" `--` é ≥ 2\n[z]'


def row(name, mean, kind="model", metric="dice", of_class="mean", width=0.02, definition="Dice in [0, 1]; image mean."):
    low, high = ("", "") if kind == "published" else (f"{mean - width}", f"{mean + width}")
    images, groups = ("", "") if kind == "published" else ("12", "6")
    return {
        "dataset": "lab", "architecture": name, "kind": kind, "metric": metric, "class": of_class, "mean": str(mean),
        "low": low, "high": high, "images": images, "groups": groups, "definition": definition,
    }  # fmt: skip


def pair(first, second, low, high, p_holm="0.01", metric="dice", of_class="mean"):
    return {
        "metric": metric, "class": of_class, "first": first, "second": second, "low": str(low), "high": str(high),
        "p_holm": p_holm,
    }  # fmt: skip


def parsed(text):
    """Rows of cells of the tabular; fails where braces, dollars or environments do not close."""
    bare = re.sub(r"\\[\\{}$&%#_]", "", text)
    depth = 0
    for each in bare:
        depth += {"{": 1, "}": -1}.get(each, 0)
        assert depth >= 0, "a brace closes that never opened"
    assert depth == 0, "a brace stays open"
    assert bare.count("$") % 2 == 0, "a formula stays open"
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    tabular = text.partition(r"\begin{tabular}")[2].partition(r"\end{tabular}")[0].partition("\n")[2]
    assert (
        re.findall(r"\\(\w+rule)", tabular)[0] == "toprule" and re.findall(r"\\(\w+rule)", tabular)[-1] == "bottomrule"
    )
    lines = [line.strip() for line in tabular.splitlines() if not line.strip().endswith("rule")]
    return [re.split(r"(?<!\\)&", line.removesuffix(r"\\")) for line in lines if line]


def cells(text):
    return {line[0].strip(): [cell.strip() for cell in line[1:]] for line in parsed(text)}


def test_every_line_has_a_cell_for_each_column():
    rows = [row(name, mean, metric=metric) for metric in ("dice", "pq") for name, mean in (("a", 0.8), ("b", 0.7))]
    assert [len(line) for line in parsed(latex_table(rows, [], ["dice", "pq"], "mean"))] == [3, 3, 3]


def test_a_cell_is_the_mean_with_its_interval():
    assert cells(latex_table([row("a", 0.8)], [], ["dice"], "mean"))["a"] == [r"$0.800_{[0.780,\,0.820]}$"]


def test_kinds_stand_apart_in_a_fixed_order():
    rows = [row("paper", 0.9, "published"), row("otsu", 0.5, "baseline"), row("anna", 0.85, "human"), row("a", 0.8)]
    text = latex_table(rows, [], ["dice"], "mean")
    names = [line[0].strip() for line in parsed(text)][1:]
    assert names[1::2] == ["a", "otsu", "anna", "paper"]
    headings = ["Models", "Baselines, without learning", "Second annotator", "Published, not measured here"]
    assert names[::2] == [rf"\multicolumn{{2}}{{l}}{{\emph{{{heading}}}}}" for heading in headings]
    assert text.count(r"\midrule") == 4


def test_a_published_figure_has_no_interval_and_a_note_with_its_source():
    rows = [row("a", 0.8), row("HoVer-Net", 0.5, "published", definition="mPQ; source: Graham 2019.")]
    text = latex_table(rows, [], ["dice"], "mean")
    assert cells(text)["HoVer-Net"] == [r"$0.500^{\mathrm{a}}$"]
    assert r"$^{\mathrm{a}}$ mPQ; source: Graham 2019.\par" in text


def test_the_caption_states_n_definition_and_how_intervals_were_made():
    text = latex_table([row("a", 0.8), row("b", 0.7) | {"images": "9"}], [], ["dice"], "mean")
    caption = next(line for line in text.splitlines() if "caption" in line)
    assert "$n$ = 9 to 12 images of 6 groups" in caption
    assert r"\emph{dice}: Dice in [0, 1]; image mean." in caption
    assert "percentile bootstrap over groups" in caption


def test_the_caption_names_what_models_were_not_compared_by():
    rows = [row("a", 0.8), row("a", 0.5, metric="pq@pannuke"), row("b", 0.7)]
    text = latex_table(rows, [pair("a", "b", 0.05, 0.15)], ["dice", "pq@pannuke"], "mean")
    assert "Models were not compared by pq@pannuke. " in text
    assert "not compared" not in latex_table(rows, [pair("a", "b", 0.05, 0.15)], ["dice"], "mean")


BETTER = [pair("a", "b", 0.05, 0.15), pair("c", "a", -0.3, -0.1)]


@pytest.mark.parametrize(
    ("comparison", "is_bold"),
    [
        (BETTER, True),
        ([BETTER[0], pair("c", "a", -0.3, 0.01)], False),  # the interval holds zero
        ([BETTER[0], pair("c", "a", -0.3, -0.1, p_holm="0.06")], False),
        ([BETTER[0], pair("c", "a", -0.3, -0.1, p_holm="")], False),
        ([BETTER[0], pair("c", "a", "", "")], False),  # one group: no interval
        ([BETTER[0], pair("c", "a", -0.3, -0.1, metric="iou")], False),
        (BETTER[:1], False),
    ],
)
def test_the_best_model_is_bold_only_where_it_beats_every_other_model(comparison, is_bold):
    rows = [row("a", 0.8), row("b", 0.7), row("c", 0.6), row("otsu", 0.9, "baseline")]
    text = latex_table(rows, comparison, ["dice"], "mean")
    bold = [name for name, found in cells(text).items() if found and "mathbf" in found[0]]
    assert bold == (["a"] if is_bold else [])
    assert "underline" not in text


def test_one_model_alone_is_not_the_best():
    assert "mathbf" not in latex_table([row("a", 0.8), row("otsu", 0.1, "baseline")], [], ["dice"], "mean")


def test_where_less_is_better_the_least_is_bold_and_the_arrow_points_down(monkeypatch):
    monkeypatch.setattr("histoloom.metrics.dice.LOWER_IS_BETTER", True, raising=False)
    rows = [row("a", 12.5), row("b", 140.0)]
    text = latex_table(rows, [pair("a", "b", -140, -120)], ["dice"], "mean")
    assert cells(text)["a"] == [r"$\mathbf{12.5}_{[12.5,\,12.5]}$"]  # one decimal is enough for lengths over 100
    assert r"dice $\downarrow$" in text
    assert "mathbf" not in latex_table(rows, [pair("a", "b", 120, 140)], ["dice"], "mean")


def test_a_metric_without_classes_stands_with_its_one_number():
    rows = [row("a", 0.8), row("a", 0.95, metric="accuracy", of_class="all")]
    assert cells(latex_table(rows, [], ["dice", "accuracy"], "mean"))["a"][1].startswith("$0.950")


def test_a_score_that_is_undefined_or_not_there_is_a_dash():
    rows = [row("a", 0.8), row("b", 0.7) | {"mean": ""}, row("b", 0.5, metric="pq")]
    assert cells(latex_table(rows, [], ["dice", "pq"], "mean"))["b"][0] == "--"
    assert cells(latex_table(rows, [], ["dice", "pq"], "mean"))["a"][1] == "--"


@pytest.mark.parametrize(
    ("metric", "of_class", "message"),
    [
        ("dice", "stroma", "metric dice: no scores of class 'stroma'; expected one of mean"),
        ("pq", "mean", "a metric of"),
    ],
)
def test_what_the_summary_does_not_hold_is_named(metric, of_class, message):
    with pytest.raises(InputError, match=message):
        latex_table([row("a", 0.8)], [], [metric], of_class)


def test_a_table_without_metrics_is_refused():
    with pytest.raises(InputError, match="no metric is left"):
        latex_table([row("a", 0.8)], [], [], "mean")


@pytest.mark.parametrize("special", [*'&%$#_{}~^\\<>|`"', "--"])
def test_no_special_character_keeps_its_meaning(special):
    known = r"\\(?:[&%$#_{}]|text\w+\{\})|-\{\}|\{\}|\{''\}"
    assert re.sub(known, "", escaped(f"x{special}y")) == "xy"


@pytest.mark.parametrize("name", ["[x]", "*"])
def test_a_name_at_the_start_of_a_line_is_no_argument_of_the_line_before(name):
    assert escaped(name).startswith("{}")


def hostile_table():
    rows = [row(HOSTILE, 0.8, definition=HOSTILE), row("[b]", 0.7), row("p", 0.6, "published", definition=HOSTILE)]
    return latex_table([each | {"dataset": HOSTILE} for each in rows], [], ["dice"], "mean")


def test_hostile_names_stay_text_and_the_table_stays_whole():
    lines = parsed(hostile_table())
    assert [len(line) for line in lines] == [2, 1, 2, 2, 1, 2]
    assert hostile_table().count(r"\end{table}") == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_takes_the_table(tmp_path):
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "paper.tex").write_text(document % hostile_table(), encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
