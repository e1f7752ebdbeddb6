"""Pages of the report: a table that is empty says so."""

from pathlib import Path

from histoloom.report.pages import table_page

TEMPLATE = Path(__file__).parents[2] / "workflow" / "report" / "table.html.j2"


def test_an_empty_table_gives_a_page_that_says_so():
    html = table_page(TEMPLATE, "findings of ds", [])
    assert "findings of ds" in html and "This table has no rows." in html
    assert "<table" not in html and "<script" not in html


def test_a_table_shows_its_columns_and_counts_its_rows():
    html = table_page(TEMPLATE, "findings", [{"kind": "empty_mask", "score": "0.123456"}])
    assert "1 row. Press" in html and ">kind</button>" in html
    assert '<td class="number" data-number="0.123456" title="0.123456">0.1235</td>' in html
    assert "has no rows" not in html
