"""Texts from outside stay texts in all that is written for people: pages, Markdown, LaTeX, tables, messages."""

import csv
import html
import re
from pathlib import Path

import pytest
import yaml

from histoloom.errors import InputError, run
from histoloom.evaluate.tables.latex_table import escaped as in_latex
from histoloom.files import inert, write_table
from histoloom.formats.geojson import json_bytes
from histoloom.report.cards.card_blocks import escaped as in_markdown
from histoloom.report.pages import table_page
from histoloom.report.rendering import breakable, render, restructured
from histoloom.study.stages.slides import Slides

REPOSITORY = Path(__file__).parents[2]
REPORT = REPOSITORY / "workflow" / "report"
SCRIPT = "</script><script>alert(1)</script>"
EVIL = f"\"'>{SCRIPT}<img src=x onerror=alert(1)>{{{{ 7*7 }}}}{{% raw %}}<!--"
# What a wildcard of these names may be is said by wildcard_constraints: small letters, digits and _.
SLUGS = {"dataset", "architecture", "fold", "slide", "table", "study"}


def test_no_text_becomes_markup_in_a_page():
    page = table_page(REPORT / "table.html.j2", EVIL, [EVIL], [{EVIL: EVIL}], f"{EVIL}.csv")
    assert page.count("<script>") == 1  # the page's own
    assert "<img" not in page
    assert html.unescape(re.search("<h1>(.*)</h1>", page)[1]) == EVIL
    assert "<" not in re.sub("<wbr>", "", str(breakable(EVIL)))


def test_the_front_page_survives_snakemakes_own_templates():
    (inner,) = re.findall(r"^   (.*)$", restructured("title", f"<p>{html.escape(EVIL)}</p>"), re.MULTILINE)
    assert "{{" not in inner and "{%" not in inner
    assert html.unescape(inner) == f"<p>{EVIL}</p>"
    with pytest.raises(AssertionError):
        restructured("title", SCRIPT)


def test_templates_escape_unless_they_say_otherwise_and_none_does(tmp_path):
    (tmp_path / "a.html.j2").write_text("{{ text }}")
    assert "<" not in render(tmp_path / "a.html.j2", text=EVIL)
    unsafe = re.compile(r"\|\s*safe\b|autoescape\s+false|Markup\(")
    assert [path.name for path in REPORT.iterdir() if unsafe.search(path.read_text(encoding="utf-8"))] == []


def test_what_snakemake_puts_into_a_script_of_its_report_is_made_of_slugs():
    rules = "\n".join(path.read_text() for path in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")))
    shown = re.findall(r"(?:category|subcategory)=\"([^\"]*)\"|labels=\{([^\n]*)\},\n", rules)
    assert len(shown) > 20
    wildcards = {name for texts in shown for text in texts for name in re.findall(r"\{(\w+)\}", text)}
    assert wildcards <= SLUGS
    constraints = re.findall(r'^    (\w+)="(.*)",$', (REPOSITORY / "Snakefile").read_text(), re.MULTILINE)
    assert {pattern for _, pattern in constraints} == {"[a-z0-9_]+", "[0-9]+"}


def test_the_name_of_a_slide_is_not_among_the_values_that_snakemakes_report_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.svs").touch()
    Path("slides.csv").write_text(f'path,name\na.svs,"{EVIL.replace(chr(34), "")}"\n')
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    config["slides"] |= {"files": ["slides.csv"], "model": "demo_breast/unet_small"}
    slides = Slides(config)
    words = slides.overview_flags(type("Wildcards", (), {"dataset": "demo_breast", "architecture": "unet_small"}))
    assert "<" not in "".join(words)
    assert list(slides.listed) == ["a"]


@pytest.mark.parametrize("text", [r"\input{/etc/passwd}", r"\write18{touch x}", r"}\end{table}", "^^5cinput", "%\n$"])
def test_no_command_of_latex_survives(text):
    printed = in_latex(text)
    left = re.sub(r"\\textbackslash\{\}|\\textasciicircum\{\}|\\[&%$#_{}]", "", printed)
    assert not re.search(r"[\\{}$%^]", left)


def test_no_markup_survives_in_markdown():
    assert not re.search(r"<|(?<!\\)[\[\]|`*]", in_markdown(f"[x](javascript:alert(1)) {EVIL} `x` **y** | z"))


def test_no_text_ends_the_json_of_an_export_and_all_of_it_is_ascii():
    assert json_bytes({"name": f"\u2028{EVIL}é"}).isascii()


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1+1", "\n=1", " =1"]
)
def test_a_table_holds_no_formula(text, tmp_path):
    write_table(tmp_path / "a.csv", ["name", "mean"], [(text, -0.5), {"name": text, "mean": "-1e-05"}])
    with (tmp_path / "a.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [[f"'{text}", "-0.5"], [f"'{text}", "-1e-05"]]


@pytest.mark.parametrize("text", ["", "tumour", "a=b", "-0.5", "+3", "-inf", "nan", "'=1"])
def test_numbers_and_other_texts_of_a_table_stay_as_they_are(text):
    assert inert(text) == text
    assert inert(inert(text)) == text


def test_a_name_cannot_steer_the_terminal(capsys):
    def main():
        raise InputError("\x1b[2J\x1b]0;title\x07a\rb.png: no image;\nmend it")

    with pytest.raises(SystemExit) as end:
        run(main)
    assert str(end.value) == r"error: \x1b[2J\x1b]0;title\x07a\rb.png: no image;" + "\nmend it"
