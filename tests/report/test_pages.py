"""Pages of tables and animations: what they hold, and how they behave in a browser."""

import base64
import csv
import io
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histoloom.report.pages import animations_page, embedded_csv, table_page
from tests.report.chromium import (
    WIDTHS_PX,
    complaints,
    low_contrast,
    needs_chromium,
    open_chromium,
    out_of_reach,
    overflow,
    resize,
    unlabelled,
)
from tests.report.report_values import HOSTILE
from tests.scripts_run import outcome

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "workflow" / "report"
COLUMNS = ("architecture", "class", "group", "mean", "images", "p", "note, in words")
ROWS = [
    dict(zip(COLUMNS, row, strict=True))
    for row in (
        ("unet", HOSTILE, "12", "0.123456", "9", "0.00001234", 'says "so"'),
        ("fpn", "two\nlines", "7", "-0.5", "10", "0.5", "x" * 50),
        ("fpn", "stroma", "", "", "31043521", "", ""),
    )
]


def table(rows=ROWS, columns=COLUMNS, title="scores of ds"):
    return table_page(TEMPLATES / "table.html.j2", title, columns, rows, "scores.csv")


def test_an_empty_table_gives_a_page_that_says_so():
    html = table([])
    assert "scores of ds" in html and "This table has no rows." in html
    assert "<table" not in html and "<script" not in html
    assert "Download" not in table([], columns=[])


def test_an_empty_table_says_why_it_is_empty():
    html = table_page(TEMPLATES / "table.html.j2", "strata of ds", ["stratum"], [], "strata.csv")
    assert "This table has no rows: no image states a stratum" in html


def test_the_page_carries_its_csv():
    html = table()
    (code,) = re.findall(r'download="scores\.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', html)
    assert list(csv.DictReader(io.StringIO(base64.b64decode(code).decode(), newline=""))) == ROWS
    assert "3 rows" in html and "1 row<" in table(ROWS[:1])
    assert "alert(1)" not in html


def test_the_csv_is_the_file_itself(tmp_path):
    path = tmp_path / "summary.csv"
    path.write_text('architecture,mean\nunet,0.5\n"a, b",\n')
    script = str(ROOT / "scripts" / "write_table_page.py")
    flags = ["--title", "t", "--html", str(tmp_path / "summary.html"), "--table", str(path)]
    assert outcome([script, *flags]) == "done"
    code = base64.b64encode(path.read_bytes()).decode()
    html = (tmp_path / "summary.html").read_text()
    assert f'download="summary.csv" href="data:text/csv;charset=utf-8;base64,{code}"' in html
    (tmp_path / "other.csv").write_text("architecture,low\nunet,0.5\n")
    message = outcome([script, *flags, str(tmp_path / "other.csv")])
    assert "other.csv: columns architecture, low; expected those of" in message and "(architecture, mean)" in message


def test_a_title_with_markup_is_text():
    assert "<script>alert" not in table(title=HOSTILE) and "&lt;script&gt;alert(1)" in table(title=HOSTILE)


def gif(frames):
    pictures = [Image.fromarray(np.full((8, 12), value, np.uint8)) for value in range(0, 20 * frames, 20)]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def browser(folder):
    driver = open_chromium(folder)
    yield driver
    driver.quit()


@pytest.fixture
def shown(browser, folder):
    """A function that shows HTML in the browser, at a width."""

    def show(html, width=1280):
        resize(browser, width)
        (folder / "page.html").write_text(html, encoding="utf-8")
        browser.get((folder / "page.html").as_uri())
        return browser

    return show


def column(browser, place):
    return browser.execute_script(
        "return [...document.querySelectorAll('tbody tr')].map((row) => row.cells[arguments[0]].innerText)", place
    )


@needs_chromium
def test_names_and_numbers_are_shown_as_they_are(shown):
    browser = shown(table())
    assert [text.replace("\u2028", "\n") for text in column(browser, 1)] == [
        HOSTILE.replace("\u2028", "\n"),
        "two lines",
        "stroma",
    ]
    assert column(browser, 2) == ["12", "7", ""]
    assert column(browser, 3) == ["0.1235", "\N{MINUS SIGN}0.5000", "undefined"]
    assert column(browser, 4) == ["9", "10", "31,043,521"]
    assert column(browser, 5) == ["1.2e\N{MINUS SIGN}5", "0.5000", "undefined"]
    assert column(browser, 6) == ['says "so"', "x" * 50, ""]
    aligned = (
        "return [...document.querySelectorAll('tbody tr:first-child td')].map((c) => getComputedStyle(c).textAlign)"
    )
    assert browser.execute_script(aligned) == ["left", "left", "left", "right", "right", "right", "left"]
    assert browser.execute_script("return document.querySelectorAll('tbody script').length") == 0


@needs_chromium
def test_a_column_sorts_by_click_and_by_key_with_the_undefined_last(shown):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = shown(table())
    button = browser.find_elements(By.CSS_SELECTOR, "thead button")[3]
    head = "return [...document.querySelectorAll('thead th')].map((head) => head.ariaSort)"
    button.click()
    assert column(browser, 3) == ["\N{MINUS SIGN}0.5000", "0.1235", "undefined"]
    assert browser.execute_script(head) == [None, None, None, "ascending", None, None, None]
    button.send_keys(Keys.ENTER)
    assert column(browser, 3) == ["0.1235", "\N{MINUS SIGN}0.5000", "undefined"]
    assert browser.execute_script(head)[3] == "descending"
    browser.find_elements(By.CSS_SELECTOR, "thead button")[2].send_keys(Keys.SPACE)
    assert column(browser, 2) == ["7", "12", ""]
    assert browser.execute_script(head) == [None, None, "ascending", None, None, None, None]


@needs_chromium
def test_the_filter_keeps_rows_that_have_all_words(shown):
    from selenium.webdriver.common.by import By

    browser = shown(table())
    field = browser.find_element(By.ID, "filter")
    assert field.accessible_name == "Filter"
    field.send_keys("FPN undefined")
    assert column(browser, 1) == ["stroma"]
    assert browser.find_element(By.ID, "count").text == "1 of 3 rows"
    field.send_keys(" unet")
    assert column(browser, 1) == [] and browser.find_element(By.ID, "count").text == "0 of 3 rows"


@needs_chromium
def test_the_filter_leaves_long_texts_out_until_they_are_shown_in_full(shown):
    from selenium.webdriver.common.by import By

    columns = ("metric", "definition", *"abcde")
    texts = ("iou", "as dice, but " + "x" * 90), ("dice", "overlap " + "y" * 90)
    browser = shown(table([dict(zip(columns, (*text, *"12345"), strict=True)) for text in texts], columns))
    browser.find_element(By.ID, "filter").send_keys("dice")
    assert column(browser, 0) == ["dice"]
    heights = "return [...document.querySelectorAll('tbody tr')].map((row) => row.clientHeight)"
    assert max(browser.execute_script(heights)) < 40
    browser.find_element(By.ID, "full").click()
    assert column(browser, 0) == ["iou", "dice"]
    assert column(shown(table(ROWS)), 6)[1] == "x" * 50


@needs_chromium
def test_a_long_table_shows_its_first_rows_until_asked_for_all_and_keeps_its_header_in_sight(shown, folder):
    from selenium.webdriver.common.by import By

    rows = [{"name": f"tile{number:05d}", "text": "y" * 250, "mean": str(number / 7)} for number in range(12_000)]
    html = table(rows, columns=("name", "text", "mean"))
    assert len(html) > 4_000_000  # longer than the addresses that Chromium takes
    browser = shown(html)
    assert len(column(browser, 0)) == 500
    assert browser.find_element(By.ID, "count").text == "12,000 rows, the first 500 shown"
    browser.execute_script("document.querySelector('.scroll').scrollTop = 5000")
    top = "document.querySelector('{}').getBoundingClientRect().top"
    beneath = browser.execute_script(f"return {top.format('thead th')} - {top.format('.scroll')}")
    assert 0 <= beneath < 3
    browser.find_element(By.ID, "filter").send_keys("tile0123")
    assert column(browser, 0) == [f"tile0123{last}" for last in range(10)]
    browser.find_element(By.ID, "csv").click()
    until = time.monotonic() + 20
    while not (folder / "scores.csv").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert (folder / "scores.csv").read_bytes() == base64.b64decode(embedded_csv(("name", "text", "mean"), rows))


@needs_chromium
@pytest.mark.parametrize("width", WIDTHS_PX)
def test_table_and_animations_can_be_read_and_used_by_all(shown, width):
    films = animations_page(TEMPLATES / "animations.html.j2", HOSTILE, {HOSTILE: gif(3), "fold1": gif(2)})
    for html in (table(title=HOSTILE + "x" * 90), table([]), films):
        browser = shown(html, width)
        assert overflow(browser) <= 0
        assert low_contrast(browser) == []
        if "<a" in html or "<summary" in html:
            assert out_of_reach(browser) == ([], [])
        assert unlabelled(browser) == []
        assert "<script>alert(1)</script> {{ 7*7 }}" in browser.find_element("tag name", "body").text or html == table(
            []
        )
        assert complaints(browser) == []


@needs_chromium
def test_pale_text_and_lost_focus_would_be_found(shown):
    browser = shown(
        "<p style='color: #999; background: #fff'>pale</p><a href='#' style='outline: none'>plain</a>"
        "<button tabindex='-1'>out of reach</button><img src='data:,' alt=''><div style='width: 3000px'>wide</div>"
        "<script>console.error('x')</script>"
    )
    assert [text for text, *_ in low_contrast(browser)] == ["pale"]
    unreached, plain = out_of_reach(browser)
    assert len(unreached) == 1 and "out of reach" in unreached[0] and plain == ["a"]
    assert overflow(browser) > 0 and unlabelled(browser) and complaints(browser)
