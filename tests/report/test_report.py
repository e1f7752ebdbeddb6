"""The report as a reader opens it: offline, without an error, every picture there, for keys and eyes of all kinds.

HISTOLOOM_REPORT names the report to open, absolute or from the repository's root; without it a small one is built with
the real scripts. What happens to lie in results/ is never taken: it may be of older code.
"""

import base64
import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.report.built_report import EPOCHS, build_report
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
    wait_until,
)

ROOT = Path(__file__).parents[2]
NAMED = os.environ.get("HISTOLOOM_REPORT")
FRONT = ".histoloom"
made_only = pytest.mark.skipif(bool(NAMED), reason="about what the made report holds")

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return ROOT / NAMED if NAMED else build_report(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser(report):
    driver = open_chromium()
    driver.get(report.as_uri())
    wait_until(driver, "!!document.querySelector('.hl-links a')")
    yield driver
    driver.quit()


@pytest.fixture
def front(browser):
    """The browser with the front page as it is when the report was opened."""
    resize(browser, 1280)
    show_front(browser)
    return browser


def show_front(browser):
    """What "Workflow" in the menu does."""
    browser.execute_script("app.setView({content: 'text', contentText: 'something else'})")
    wait_until(browser, "!document.querySelector('.histoloom')")
    browser.execute_script("app.setView({content: 'rulegraph'})")
    wait_until(browser, "!!document.querySelector('.hl-links a')")
    wait_until(browser, "[...document.images].every((image) => image.complete)")


def pages_in(report):
    """Text of the report and of every HTML page inside it."""
    text = report.read_text(encoding="utf-8")
    inside = re.findall(r"data:text/html;[^,\"]*base64,([A-Za-z0-9+/=]+)", text)
    return [text, *(base64.b64decode(page).decode() for page in inside)]


def test_the_console_shows_no_error_and_nothing_leaves_the_machine(browser):
    for result in browser.execute_script("return Object.values(results)"):
        if result["mime_type"] == "text/html":
            browser.execute_script("app.setView({content: 'html', contentPath: arguments[0]})", result["data_uri"])
            wait_until(browser, "!!document.querySelector('iframe')")
    show_front(browser)
    assert complaints(browser) == []


def test_all_pictures_are_loaded_and_described(front):
    assert front.execute_script(f"return document.querySelectorAll('{FRONT} img').length")
    assert unlabelled(front, FRONT) == []


def test_all_pictures_of_the_results_can_be_decoded(browser):
    script = """
    const done = arguments[arguments.length - 1];
    const load = (path) => new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve([path, image.naturalWidth]);
      image.onerror = () => resolve([path, 0]);
      image.src = results[path].data_uri;
    });
    const paths = Object.keys(results).filter((path) => results[path].mime_type.startsWith("image/"));
    Promise.all(paths.map(load)).then(done);
    """
    widths = browser.execute_async_script(script)
    assert widths
    assert [path for path, width in widths if width == 0] == []


@made_only
def test_names_from_the_data_stay_text(front):
    assert front.execute_script(f"return document.querySelectorAll('{FRONT} script, {FRONT} b b').length") == 0
    text = front.execute_script("return document.querySelector('#app').innerText")
    assert text.count("<script>alert(1)</script> {{ 7*7 }} {% raw %} {# <!-- -->") > 10
    assert text.count("{{ 7*7 }}") == text.count("alert(1)")


@made_only
def test_pages_inside_the_report_show_such_names_as_text_too(front):
    paths = front.execute_script("return Object.keys(results).filter((path) => path.endsWith('.html'))")
    assert len(paths) == 5
    for path in paths:
        front.execute_script("app.setView({content: 'html', contentPath: results[arguments[0]].data_uri})", path)
        wait_until(front, "!!document.querySelector('iframe')")
        front.switch_to.frame(0)
        wait_until(front, "document.readyState === 'complete'")
        assert "<script>alert(1)</script> {{ 7*7 }}" in front.execute_script("return document.body.innerText")
        assert overflow(front) <= 0
        if "epochs" not in path:
            assert front.execute_script("return document.querySelectorAll('tbody tr').length") == 14
        front.switch_to.default_content()


@pytest.mark.parametrize("width", WIDTHS_PX)
def test_the_front_page_does_not_overflow_sideways(front, width):
    resize(front, width)
    inner, outer = front.execute_script(
        f"const e = document.querySelector('{FRONT}'); return [e.scrollWidth, e.clientWidth]"
    )
    assert inner <= outer
    assert overflow(front) <= 0
    assert outer > 0.5 * width


@pytest.mark.parametrize("width", WIDTHS_PX)
def test_what_the_front_page_leads_to_fits_into_the_window(front, width):
    resize(front, width)
    for path in front.execute_script("return Object.keys(results)"):
        open_result(front, path)
        assert overflow(front) <= 0
        shown = "document.querySelector('#app iframe, #app .p-3 > img').getBoundingClientRect()"
        assert front.execute_script(f"return {shown}.left") >= 0
        show_front(front)


def open_result(browser, path):
    """Press the link of the front page that leads to a result; False where there is none, or more than one."""
    script = """
    const shown = () => document.querySelector('#app iframe, #app .p-3 > img');
    for (const link of document.querySelectorAll('.hl-links a')) {
      if (link.dataset.path === arguments[0]) { link.click(); return true; }
    }
    return false;
    """
    assert browser.execute_script(script, path), path
    wait_until(browser, "!!document.querySelector('#app iframe, #app .p-3 > img')")


def test_every_result_is_one_click_away(front):
    paths = front.execute_script("return Object.keys(results)")
    links = front.execute_script(
        "return [...document.querySelectorAll('.hl-links a')].map((link) => link.dataset.path)"
    )
    assert sorted(links) == sorted(paths)
    for path in paths:
        open_result(front, path)
        source = "return document.querySelector('#app iframe, #app .p-3 > img').src === results[arguments[0]].data_uri"
        assert front.execute_script(source, path)
        show_front(front)


def test_the_menu_leads_back(front):
    open_result(front, front.execute_script("return Object.keys(results)[0]"))
    front.find_element("link text", "Workflow").click()
    wait_until(front, "!!document.querySelector('.hl-links a')")


def test_every_link_into_the_page_has_its_place(front):
    links = f"[...document.querySelectorAll('{FRONT} a[href^=\"#hl\"]')]"
    script = f"return {links}.map((a) => [a.hash, !!document.querySelector(a.hash)])"
    anchors = front.execute_script(script)
    assert anchors and [anchor for anchor, is_there in anchors if not is_there] == []


@made_only
def test_a_cell_of_the_matrix_leads_to_its_row(front):
    for width in WIDTHS_PX:
        resize(front, width)
        link = front.find_elements("css selector", ".hl-matrix td a")[3]
        front.execute_script("arguments[0].click()", link)
        row = front.find_element("css selector", "tr:target")
        top = front.execute_script("return arguments[0].getBoundingClientRect().top", row)
        assert 30 < top < 300 and row.get_attribute("id") == link.get_attribute("href").split("#")[1]


@pytest.mark.parametrize("width", WIDTHS_PX)
def test_all_texts_can_be_read(front, width):
    resize(front, width)
    front.execute_script(f"document.querySelectorAll('{FRONT} details').forEach((one) => {{ one.open = true; }})")
    assert low_contrast(front, FRONT) == []


@made_only
@pytest.mark.parametrize("width", WIDTHS_PX)
def test_the_keyboard_alone_reaches_everything_and_shows_where_it_is(front, width):
    resize(front, width)
    assert out_of_reach(front, FRONT) == ([], [])


@made_only
def test_folded_parts_open_by_key(front):
    from selenium.webdriver.common.keys import Keys

    summary = front.find_element("css selector", ".histoloom details:not([open]) > summary")
    summary.send_keys(Keys.ENTER)
    assert front.execute_script("return arguments[0].parentElement.open", summary)


def test_the_top_of_a_tall_page_can_be_reached(front):
    top = f"return document.querySelector('{FRONT}').closest('.overflow-auto').firstElementChild.offsetTop"
    assert front.execute_script(top) >= 0


def test_animations_have_one_frame_per_epoch(report):
    found = 0
    for page in pages_in(report):
        tags = re.findall(r'<img src="data:image/(?:gif|webp);base64,([A-Za-z0-9+/=]+)" data-frames="(\d+)"', page)
        for data, frames in tags:
            opened = Image.open(io.BytesIO(base64.b64decode(data)))
            durations = []
            for place in range(opened.n_frames):
                opened.seek(place)
                opened.load()  # of WebP only then the duration is this frame's
                durations.append(opened.info["duration"])
            assert opened.n_frames == int(frames)
            assert opened.n_frames in epoch_counts(report)
            assert opened.n_frames == 1 or durations[-1] > max(durations[:-1])
            found += 1
    assert found


def epoch_counts(report):
    """Rows of the histories that lie beside the report."""
    histories = [*report.parent.rglob("fold*/history.csv"), *report.parent.parent.glob("*/*/fold*/history.csv")]
    assert histories, f"no history.csv beside {report}"
    return {len(path.read_text().splitlines()) - 1 for path in histories}


@made_only
def test_the_front_page_stays_small(report):
    front = report.parent / "results" / "report" / "study" / "front.rst"
    assert front.stat().st_size < 3_000_000 and EPOCHS in epoch_counts(report)
